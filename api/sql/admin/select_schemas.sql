-- The event types of a project that have a schema, by name, after the last one of the page before.
select
    event_type,
    mode,
    octet_length(schema::text) as "schema_bytes!",
    changed_at as "changed_at: jiff_sqlx::Timestamp",
    violations,
    last_violation_at as "last_violation_at: jiff_sqlx::Timestamp",
    samples as "samples: _"
from event_schemas
where project_id = $1
  and ($2::text is null or event_type collate "C" > $2)
order by event_type collate "C"
limit $3
