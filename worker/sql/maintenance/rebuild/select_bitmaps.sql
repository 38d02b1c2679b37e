-- Who was active on a day: the bitmaps of the base, each with the number of users that it is said to have, and those of
-- the deltas, which have no such number.
select event_type_id as "event_type_id!", bitmap as "bitmap!", users_count
from active_users
where project_id = $1
  and day = $2
union all
select event_type_id, bitmap, null
from active_users_delta
where project_id = $1
  and day = $2
