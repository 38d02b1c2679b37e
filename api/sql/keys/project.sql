-- The name, the calendar, the limits and the retention of a project, and which rules its events must meet.
select
    name,
    time_zone,
    requests_per_second,
    events_per_second,
    retention_days,
    kept_from as "kept_from: jiff_sqlx::Date",
    event_type_count,
    max_event_types,
    case
        when exists (select from event_schemas s where s.project_id = projects.id) then schemas_revision
    end as schemas_revision
from projects
where id = $1
