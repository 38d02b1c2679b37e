-- The numbers of event types. A name without a number has no stored events.
select id, name
from event_types
where project_id = $1
  and name = any ($2::text[])
