-- The number of days on which a user has events. Base and deltas are read in one statement. Of each bitmap,
-- PostgreSQL reads only the part that may contain the user.
select count(distinct day) as "days!"
from (
    select day
    from active_users
    where project_id = $1
      and event_type_id = 0
      and day between $3 and $4
      and roaring_contains(bitmap, $2)
    union all
    select day
    from active_users_delta
    where project_id = $1
      and event_type_id = 0
      and day between $3 and $4
      and roaring_contains(bitmap, $2)
) as active
