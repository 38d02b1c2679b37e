-- Gives numbers to new event types. The array is sorted by name.
insert into event_types (project_id, name)
select $1, name
from unnest($2::text[]) as fresh (name)
on conflict do nothing
