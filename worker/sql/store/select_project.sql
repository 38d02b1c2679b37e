-- The calendar of a project that has an event type, whose time zone is final.
select time_zone
from projects
where id = $1
