-- The numbers of those event types that have one.
select name, id
from event_types
where project_id = $1
  and name = any($2)
