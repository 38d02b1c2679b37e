-- Tables that a merge has made or taken out.
select leftover.relname::text as "name!"
from pg_class parent
join pg_class leftover on leftover.relnamespace = parent.relnamespace
    and leftover.relkind = 'r'
    and leftover.relname ~ ('^' || parent.relname || '_[0-9]{8}_[0-9]{8}_(merging|merged)$')
where parent.oid = to_regclass($1)
  and not leftover.relispartition
order by leftover.relname
