-- Who was active on each day of a week or month.
select bitmap
from active_users
where project_id = $1
  and event_type_id = 0
  and day between $2 and $3
