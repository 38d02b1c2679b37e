-- Who was active on days of a project whose counts are gone.
select bitmap
from earlier_users
where project_id = $1
