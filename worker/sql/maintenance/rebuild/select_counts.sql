-- How many events of each type a day has according to the base and the deltas.
with counted as (
    select event_type_id, n
    from event_counts
    where project_id = $1
      and day = $2
    union all
    select event_type_id, n
    from event_counts_delta
    where project_id = $1
      and day = $2
)
select event_type_id as "event_type_id!", sum(n)::bigint as "n!"
from counted
group by event_type_id
