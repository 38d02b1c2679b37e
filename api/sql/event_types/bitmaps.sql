-- The users of each of these types on the days of a period, type by type.
select event_type_id as "event_type_id!", bitmap as "bitmap!"
from (
    -- base and deltas in one statement, so the union is right at every moment
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
