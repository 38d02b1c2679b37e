-- The filters of partitions that have no B-trees yet, the newest first.
select lookup.oid as "filter!"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
join pg_index i on i.indrelid = partition.oid
join pg_class lookup on lookup.oid = i.indexrelid
join pg_am on pg_am.oid = lookup.relam and pg_am.amname = 'brin'
where child.inhparent = 'events'::regclass
    and not exists (
        select from pg_index tree
        where tree.indexrelid = to_regclass(partition.relname || $1) and tree.indisvalid
    )
order by partition.relname desc
