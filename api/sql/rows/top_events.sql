-- The same answer as stats/top_events.sql, computed from the rows.
with counted as (
    select e.event_type_id, count(*) as n
    from events e
    where e.project_id = $1
      -- two days of margin for the time zone; written in UTC, so that the planner skips other partitions
      and e.occurred_at >= ($2::date - interval '2 days') at time zone 'UTC'
      and e.occurred_at < ($3::date + interval '3 days') at time zone 'UTC'
      and (e.occurred_at at time zone $5)::date between $2 and $3
    group by e.event_type_id
)
select
    t.name as "event_type!",
    c.n as "count!"
from counted c
join event_types t on t.project_id = $1 and t.id = c.event_type_id
order by c.n desc, t.name
limit $4
