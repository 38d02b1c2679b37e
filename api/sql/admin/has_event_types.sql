-- Whether a project has an event type: whether a worker has begun to store events of it.
select exists (
    select
    from event_types
    where project_id = $1
) as "has_event_types!"
