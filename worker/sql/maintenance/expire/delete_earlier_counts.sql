-- Deletes up to $3 counts of days, of hours, and of deltas from before a day.
with from_deltas as (
    delete from event_counts_delta
    where ctid = any (array(
        select ctid
        from event_counts_delta
        where project_id = $1
          and day < $2
        limit $3
    ))
    returning day
),
from_days as (
    delete from event_counts
    where ctid = any (array(
        select ctid
        from event_counts
        where project_id = $1
          and day < $2
        limit $3
    ))
    returning day
),
from_hours as (
    delete from event_hours
    where ctid = any (array(
        select ctid
        from event_hours
        where project_id = $1
          and day < $2
        limit $3
    ))
    returning day
)
select
    (select count(*) from from_deltas) + (select count(*) from from_days) + (select count(*) from from_hours)
        as "deleted!"
