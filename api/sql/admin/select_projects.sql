-- Projects by name: all, or only the one with this number, after the last one of the page before.
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
where ($1::int is null or id = $1)
  and ($2::text is null or name collate "C" > $2)
order by name collate "C"
limit $3
