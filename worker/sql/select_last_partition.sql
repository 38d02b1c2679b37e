-- The partition of a table that reaches furthest: names end with the day after the last.
select max(split_part(substring(c.relname from '_[0-9]{8}_[0-9]{8}$'), '_', 3))
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = $1::regclass
