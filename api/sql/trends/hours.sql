-- How many events of each given type each hour of a period had; number 0 stands for all types together. Hours
-- are those of the local clock. The offset distinguishes the two hours that have the same local time when
-- clocks are put back.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select event_type_id, day, hour, utc_offset, n
    from event_hours
    where project_id = $1
      and event_type_id = any ($2)
      and day between $3 and $4
    union all
    select case when $2 = array[0] then 0 else event_type_id end, day, hour, utc_offset, n
    from event_counts_delta
    where project_id = $1
      and ($2 = array[0] or event_type_id = any ($2))
      and day between $3 and $4
      and hour is not null
)
select
    event_type_id as "event_type_id!",
    day as "day!: jiff_sqlx::Date",
    hour as "hour!",
    utc_offset as "utc_offset!",
    sum(n)::bigint as "n!"
from counted
group by event_type_id, day, hour, utc_offset
