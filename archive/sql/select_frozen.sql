-- Partitions of events that were taken out and not dropped yet.
select frozen.relname::text as "name!"
from pg_class frozen
join pg_class events on events.oid = 'events'::regclass and events.relnamespace = frozen.relnamespace
where frozen.relkind = 'r'
  and frozen.relname ~ '^events_[0-9]{8}_[0-9]{8}_frozen$'
order by frozen.relname
