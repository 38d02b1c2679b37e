-- The names of the event types of a project.
select name
from event_types
where project_id = $1
limit $2
