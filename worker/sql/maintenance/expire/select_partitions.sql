-- The partitions of a table, oldest first, with their bounds: a name for statements, and its first day and the day
-- after its last. The default partition has neither and comes last; that of undated identities has no first day. With
-- 0 instead of the oid, pg_get_expr does not wait for a locked partition.
select
    partition.oid::regclass::text as "name!",
    substring(bound.text from 'FROM \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as "from: jiff_sqlx::Date",
    substring(bound.text from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as "until: jiff_sqlx::Date",
    pg_total_relation_size(partition.oid) as "bytes!"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
cross join lateral (select pg_get_expr(partition.relpartbound, 0) as text) as bound
where child.inhparent = to_regclass($1)
order by 3 nulls last
