-- How many events of each type, or of one given type, a project has on each day of a period.
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
    event_type_id as "event_type_id!",
    sum(n)::bigint as "events!"
from counted
group by day, event_type_id
having sum(n) > 0
order by day, event_type_id
