-- How many event types a project may have. Until the transaction ends, nobody else makes one or changes the project.
select coalesce(max_event_types, $2) as "max_event_types!"
from projects
where id = $1
for no key update
