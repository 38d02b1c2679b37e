-- The upper bound (exclusive) of the last partition of a table; null if there is no partition yet. The second
-- argument of pg_get_expr is 0, because bounds contain no columns. With the partition's oid, it would wait
-- for sessions that have locked the partition.
select max(substring(pg_get_expr(c.relpartbound, 0) from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})'))::date as "until: jiff_sqlx::Date"
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)
