-- Removes the schema of an event type.
delete from event_schemas
where project_id = $1
  and event_type = $2
