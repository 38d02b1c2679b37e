-- Removes and returns up to $3 bitmaps, each of base and deltas, of all people who were active before a day.
with from_deltas as (
    delete from active_users_delta
    where ctid = any (array(
        select ctid
        from active_users_delta
        where project_id = $1
          and event_type_id = 0
          and day < $2
        limit $3
    ))
    returning bitmap
),
from_base as (
    delete from active_users
    where ctid = any (array(
        select ctid
        from active_users
        where project_id = $1
          and event_type_id = 0
          and day < $2
        limit $3
    ))
    returning bitmap
)
select bitmap as "bitmap!" from from_deltas
union all
select bitmap from from_base
