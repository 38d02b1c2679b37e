-- The filters of all partitions, the newest first. For a partition that has B-trees, also how many rows came
-- into it so far: while that number stays the same, its filter is up to date. Null: the partition is written to, or
-- the server does not count.
select
    lookup.oid as "filter!",
    case
        when current_setting('track_counts')::bool
            and exists (
                select from pg_index tree
                where tree.indexrelid = to_regclass(partition.relname || $1) and tree.indisvalid
            )
        then pg_stat_get_tuples_inserted(partition.oid)
    end as rows_inserted
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
join pg_index i on i.indrelid = partition.oid
join pg_class lookup on lookup.oid = i.indexrelid
join pg_am on pg_am.oid = lookup.relam and pg_am.amname = 'brin'
where child.inhparent = 'events'::regclass
order by partition.relname desc
