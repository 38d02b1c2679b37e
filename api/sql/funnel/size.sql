-- How many events of some types a range of days has. The API needs this number before it reads the events.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select n
    from event_counts
    where project_id = $1
      and event_type_id = any ($2)
      and day between $3 and $4
    union all
    select n
    from event_counts_delta
    where project_id = $1
      and event_type_id = any ($2)
      and day between $3 and $4
)
select coalesce(sum(n), 0)::bigint as "n!"
from counted
