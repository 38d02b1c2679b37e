-- The numbers of event types. A name that is not there has never been stored.
select id, name
from event_types
where project_id = $1
  and name = any ($2::text[])
