-- Reserves consecutive numbers for new event types; returns the first number after them.
update projects
set next_event_type_id = next_event_type_id + $2
where id = $1
returning next_event_type_id
