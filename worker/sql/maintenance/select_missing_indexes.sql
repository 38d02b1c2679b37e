-- The missing B-trees of partitions whose upper bound is at most the given day. The newest partitions come
-- first, because most queries read those. An interrupted build leaves an index that is not valid.
with bounded as (
    -- partitions with their upper bounds; with 0 instead of the oid, pg_get_expr does not wait for a locked
    -- partition
    select
        partition.relname::text as name,
        substring(pg_get_expr(partition.relpartbound, 0) from 'TO \(''([0-9]{4}-[0-9]{2}-[0-9]{2})')::date as until
    from pg_inherits child
    join pg_class partition on partition.oid = child.inhrelid
    where child.inhparent = 'events'::regclass
)
select
    bounded.name as "partition!",
    wanted.suffix as "suffix!",
    found.indexrelid is not null as "is_unfinished!"
from bounded
cross join unnest($1::text[]) as wanted (suffix)
left join pg_index found on found.indexrelid = to_regclass(bounded.name || wanted.suffix)
where bounded.until <= $2
    and found.indisvalid is distinct from true
order by bounded.until desc, wanted.suffix
