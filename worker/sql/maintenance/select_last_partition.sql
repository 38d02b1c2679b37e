-- The upper bound (exclusive) of the last partition of a table; null before the first is made.
-- The bounds contain no columns, so pg_get_expr needs no table to read them. Given the partition's oid
-- instead of 0, it would wait for whoever holds the partition locked.
select max(substring(pg_get_expr(c.relpartbound, 0) from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})'))::date as "until: jiff_sqlx::Date"
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)
