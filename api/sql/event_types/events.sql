-- How many events of each given type a period has.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select event_type_id, n
    from event_counts
    where project_id = $1
      and day between $2 and $3
      and event_type_id = any ($4)
    union all
    select event_type_id, n
    from event_counts_delta
    where project_id = $1
      and day between $2 and $3
      and event_type_id = any ($4)
)
select event_type_id as "event_type_id!", sum(n)::bigint as "events!"
from counted
group by event_type_id
