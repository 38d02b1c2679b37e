-- B-trees that partitions of rows lack whose last day is before the given one (YYYYMMDD), the newest
-- first: they are asked most. A build that was interrupted leaves an index that nobody uses.
select
    partition.relname::text as "partition!",
    wanted.suffix as "suffix!",
    found.indexrelid is not null as "is_unfinished!"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
cross join unnest($1::text[]) as wanted (suffix)
left join pg_index found on found.indexrelid = to_regclass(partition.relname || wanted.suffix)
where child.inhparent = 'events'::regclass
    and substring(partition.relname from '_([0-9]{8})$') <= $2
    and found.indisvalid is distinct from true
order by partition.relname desc, wanted.suffix
