-- Deletes up to $3 bitmaps, each of base and deltas, of the people who had an event of a single type before a day.
with from_deltas as (
    delete from active_users_delta
    where ctid = any (array(
        select ctid
        from active_users_delta
        where project_id = $1
          and event_type_id > 0
          and day < $2
        limit $3
    ))
    returning day
),
from_base as (
    delete from active_users
    where ctid = any (array(
        select ctid
        from active_users
        where project_id = $1
          and event_type_id > 0
          and day < $2
        limit $3
    ))
    returning day
)
select (select count(*) from from_deltas) + (select count(*) from from_base) as "deleted!"
