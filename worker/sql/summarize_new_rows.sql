-- Brings the filters of partitions without B-trees up to date with the rows written since the last
-- time; returns how many ranges of pages were new. Pages not summarized yet are read by every search.
select coalesce(sum(brin_summarize_new_values(lookup.oid)), 0)::bigint as "ranges!"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
join pg_index i on i.indrelid = partition.oid
join pg_class lookup on lookup.oid = i.indexrelid
join pg_am on pg_am.oid = lookup.relam and pg_am.amname = 'brin'
where child.inhparent = 'events'::regclass and to_regclass(partition.relname || $1) is null
