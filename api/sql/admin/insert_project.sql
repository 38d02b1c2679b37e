-- Makes a project, unless there is one of this name.
insert into projects (name, time_zone, retention_days, requests_per_second, events_per_second, max_event_types)
values ($1, $2, $3, $4, $5, $6)
on conflict (name) do nothing
returning
    id,
    name,
    time_zone,
    retention_days,
    requests_per_second,
    events_per_second,
    max_event_types,
    created_at as "created_at: jiff_sqlx::Timestamp"
