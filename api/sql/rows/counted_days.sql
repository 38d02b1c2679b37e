-- How many events a project has on the days of a period, and of which types; only those of one type, if it
-- is given.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select day, event_type_id, n
    from event_counts
    where project_id = $1
      and day between $2 and $3
      and ($4::int is null or event_type_id = $4)
    union all
    select day, event_type_id, n
    from event_counts_delta
    where project_id = $1
      and day between $2 and $3
      and ($4::int is null or event_type_id = $4)
)
select
    day as "day!: jiff_sqlx::Date",
    array_agg(distinct event_type_id) as "types!",
    sum(n)::bigint as "events!"
from counted
group by day
order by day
