-- What the planner takes for the number of different times, wherever somebody analyses the whole table.
--
-- Trends group rows by hours or days of their time. From nearly as many times as rows the planner concludes
-- as many groups, and then it does not let several processes group their share first.
alter table events alter column occurred_at set (n_distinct_inherited = 1000);
