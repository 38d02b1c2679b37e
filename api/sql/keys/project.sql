-- The name, the calendar, the limits and the retention of a project.
select
    name,
    time_zone,
    requests_per_second,
    events_per_second,
    retention_days,
    kept_from as "kept_from: jiff_sqlx::Date"
from projects
where id = $1
