-- Adds all rows that the filter of a partition does not cover; returns how many ranges of pages were new.
select brin_summarize_new_values($1::oid::regclass) as "ranges!"
