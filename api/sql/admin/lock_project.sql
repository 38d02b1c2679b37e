-- A project. Until the transaction ends, nobody else changes it, and no worker takes numbers for new event types
-- or actors of it.
select
    id,
    name,
    time_zone,
    retention_days,
    requests_per_second,
    events_per_second,
    max_event_types,
    created_at as "created_at: jiff_sqlx::Timestamp"
from projects
where name = $1
for no key update
