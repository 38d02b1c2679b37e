-- The partitions of a table that have bounds on both sides, oldest first. With 0 instead of the oid, pg_get_expr does not
-- wait for a locked partition.
select
    partition.relname::text as "name!",
    substring(bound.text from 'FROM \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as "from!: jiff_sqlx::Date",
    substring(bound.text from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as "to!: jiff_sqlx::Date"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
cross join lateral (select pg_get_expr(partition.relpartbound, 0) as text) as bound
where child.inhparent = to_regclass($1)
  and bound.text ~ '^FOR VALUES FROM \(''[0-9]{4}-[0-9]{2}-[0-9]{2}.*TO \(''[0-9]{4}-[0-9]{2}-[0-9]{2}'
order by 2
