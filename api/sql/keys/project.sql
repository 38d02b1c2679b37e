-- The calendar of a project.
select time_zone
from projects
where id = $1
