-- The users of some event types on the days of a period, ordered by type.
select event_type_id as "event_type_id!", bitmap as "bitmap!"
from (
    -- base and deltas are read in one statement, so the union is right even during a fold
    select event_type_id, bitmap
    from active_users
    where project_id = $1
      and day between $2 and $3
      and event_type_id = any ($4)
    union all
    select event_type_id, bitmap
    from active_users_delta
    where project_id = $1
      and day between $2 and $3
      and event_type_id = any ($4)
) active
order by event_type_id
