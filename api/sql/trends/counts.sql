-- How many events of each given type each day of a period had; without types, of all types together as number
-- 0.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select event_type_id, day, n
    from event_counts
    where project_id = $1
      and day between $3 and $4
    union all
    select event_type_id, day, n
    from event_counts_delta
    where project_id = $1
      and day between $3 and $4
)
select
    case when $2::int[] is null then 0 else event_type_id end as "event_type_id!",
    day as "day!: jiff_sqlx::Date",
    sum(n)::bigint as "n!"
from counted
where $2::int[] is null or event_type_id = any ($2)
group by 1, day
