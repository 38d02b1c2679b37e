-- Partitions of events whose days are all before the given one, oldest first, with their bounds and their size. With 0
-- instead of the oid, pg_get_expr does not wait for a locked partition.
with bounded as (
    select
        partition.oid,
        partition.relname::text as name,
        pg_get_expr(partition.relpartbound, 0) as bound
    from pg_inherits child
    join pg_class partition on partition.oid = child.inhrelid
    where child.inhparent = 'events'::regclass
      and partition.relname ~ '^events_[0-9]{8}_[0-9]{8}$'
),
dated as (
    select
        oid,
        name,
        bound,
        substring(bound from 'FROM \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as from_date,
        substring(bound from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as to_date
    from bounded
)
select
    name as "name!",
    bound as "bound!",
    from_date as "from!: jiff_sqlx::Date",
    to_date as "to!: jiff_sqlx::Date",
    pg_total_relation_size(oid) as "bytes!"
from dated
where to_date <= $1
order by from_date
