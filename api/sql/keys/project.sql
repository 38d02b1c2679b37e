-- The calendar and the limits of a project.
select
    time_zone,
    requests_per_second,
    events_per_second
from projects
where id = $1
