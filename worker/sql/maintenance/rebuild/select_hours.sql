-- The same for each hour of the day, and for all types together as number 0.
with counted as (
    select event_type_id, hour, utc_offset, n
    from event_hours
    where project_id = $1
      and day = $2
    union all
    select coalesce(event_type_id, 0), hour, utc_offset, sum(n)::bigint
    from event_counts_delta
    where project_id = $1
      and day = $2
      and hour is not null
    group by grouping sets ((event_type_id, hour, utc_offset), (hour, utc_offset))
)
select
    event_type_id as "event_type_id!",
    hour as "hour!",
    utc_offset as "utc_offset!",
    sum(n)::bigint as "n!"
from counted
group by event_type_id, hour, utc_offset
