-- The most frequent event types of a period, from the counters.
with counted as (
    -- base and deltas in one statement, so the sum is right at every moment
    select event_type_id, n
    from event_counts
    where project_id = $1
      and day between $2 and $3
    union all
    select event_type_id, n
    from event_counts_delta
    where project_id = $1
      and day between $2 and $3
)
select
    t.name as "event_type!",
    sum(c.n)::bigint as "count!"
from counted c
join event_types t on t.project_id = $1 and t.id = c.event_type_id
group by t.name
order by sum(c.n) desc, t.name
limit $4
