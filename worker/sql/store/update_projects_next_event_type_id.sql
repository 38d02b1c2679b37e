-- Reserves consecutive numbers for new event types, as many as the project has room for, and says how many types it
-- has then. Returns the first number after them; nothing if there is no room and the project is known to be full. The
-- caller has locked the project.
with
-- The types of the project. The lock was taken before this statement, so it sees what others have made.
counted as (
    select count(*)::int as types
    from event_types
    where project_id = $1
),
-- How many of the new ones fit.
room as (
    select types, greatest(0, least($2::int, $3::int - types)) as made
    from counted
)
update projects
set
    next_event_type_id = next_event_type_id + room.made,
    event_type_count = room.types + room.made
from room
where projects.id = $1
  and (room.made > 0 or event_type_count <> room.types)
returning next_event_type_id, room.made as "made!"
