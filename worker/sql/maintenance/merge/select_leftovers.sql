-- Tables that a merge has made or taken out, with the parent of the partitions that they belong to.
select
    leftover.relname::text as "name!",
    parent.relname::text as "parent!"
from pg_class parent
join pg_class leftover on leftover.relnamespace = parent.relnamespace
    and leftover.relkind = 'r'
    and leftover.relname ~ ('^' || parent.relname || '_[0-9]{8}_[0-9]{8}_(merging|late|merged)$')
where parent.oid = to_regclass($1)
  and not leftover.relispartition
order by leftover.relname
