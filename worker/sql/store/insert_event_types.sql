-- Gives numbers to new event types. The arrays are sorted by name. The caller has locked the project and has seen that
-- none of them has a number.
insert into event_types (project_id, id, name)
select $1, id, name
from unnest($2::text[], $3::int[]) as fresh (name, id)
