-- Changes a project.
update projects
set
    time_zone = $2,
    retention_days = $3,
    requests_per_second = $4,
    events_per_second = $5,
    max_event_types = $6
where id = $1
