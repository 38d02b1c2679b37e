-- The most frequent event types of a period, from the counters.
with counted as (
    -- base and deltas are read in one statement, so the sum is right even during a fold
    select event_type_id, n
    from event_counts
    where project_id = $1
      and day between $2 and $3
    union all
    select event_type_id, n
    from event_counts_delta
    where project_id = $1
      and day between $2 and $3
),
top as (
    -- types are counted by number first, so that only the types of the answer need their names. Types that
    -- tie for the last rank are kept, because their names decide which of them are in the answer
    select event_type_id, sum(n) as n
    from counted
    group by event_type_id
    order by sum(n) desc
    fetch first ($4::bigint) rows with ties
)
select
    t.name as "event_type!",
    top.n::bigint as "count!"
from top
join event_types t on t.project_id = $1 and t.id = top.event_type_id
order by top.n desc, t.name
limit $4
