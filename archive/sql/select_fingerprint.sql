-- The fingerprint of one day of one project. rows.rs puts the name of the table in place of events.
select
    count(*) as rows,
    coalesce(sum(uuid_hash_extended(e.event_id, 0)), 0)::text as ids
from events e
where e.project_id = $1
  and e.occurred_at >= $2
  and e.occurred_at < $3
