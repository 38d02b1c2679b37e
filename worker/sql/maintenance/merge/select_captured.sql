-- Partitions of a table whose new rows are noted for a merge.
select partition.relname::text as "name!"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
join pg_trigger capture on capture.tgrelid = partition.oid and capture.tgname = 'note_late_row'
where child.inhparent = to_regclass($1)
order by partition.relname
