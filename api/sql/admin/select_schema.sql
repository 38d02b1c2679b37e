-- The schema of an event type.
select
    event_type,
    mode,
    schema::text as "schema!",
    octet_length(schema::text) as "schema_bytes!",
    changed_at as "changed_at: jiff_sqlx::Timestamp",
    violations,
    last_violation_at as "last_violation_at: jiff_sqlx::Timestamp",
    samples as "samples: _"
from event_schemas
where project_id = $1
  and event_type = $2
