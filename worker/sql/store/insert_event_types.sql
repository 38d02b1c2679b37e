-- Gives numbers to new event types. The arrays are sorted by name. If another worker has given a type a
-- number, that number stays.
insert into event_types (project_id, id, name)
select $1, id, name
from unnest($2::text[], $3::int[]) as fresh (name, id)
on conflict do nothing
