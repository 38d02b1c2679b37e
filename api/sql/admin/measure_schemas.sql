-- How many schemas a project has for other event types than this one, and how much memory they take at most.
select
    count(*) as "schemas!",
    coalesce(sum(memory_bytes), 0)::bigint as "memory_bytes!"
from event_schemas
where project_id = $1
  and event_type <> $2
