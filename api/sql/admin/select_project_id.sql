-- The number of a project.
select id
from projects
where name = $1
