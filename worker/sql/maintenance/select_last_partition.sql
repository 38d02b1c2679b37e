-- The day up to which a table has partitions made ahead, without that day: the end of their last one.
select max(substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})'))::date as "until: jiff_sqlx::Date"
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)
