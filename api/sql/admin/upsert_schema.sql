-- Sets the schema of an event type. Counting begins anew, under a new number.
insert into event_schemas (project_id, event_type, mode, schema, memory_bytes)
values ($1, $2, $3, $4::text::json, $5)
on conflict (project_id, event_type) do update
set
    id = default,
    mode = excluded.mode,
    schema = excluded.schema,
    memory_bytes = excluded.memory_bytes,
    changed_at = now(),
    violations = 0,
    last_violation_at = null,
    samples = default
