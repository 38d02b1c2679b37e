-- The same answer as top_events.sql from the rows themselves.
select
    t.name as "event_type!",
    count(*) as "count!"
from events e
join event_types t on t.project_id = e.project_id and t.id = e.event_type_id
where e.project_id = $1
  -- slack for the zone; in UTC, so that the planner leaves other days' partitions alone
  and e.occurred_at >= ($2::date - interval '2 days') at time zone 'UTC'
  and e.occurred_at < ($3::date + interval '3 days') at time zone 'UTC'
  and (e.occurred_at at time zone $5)::date between $2 and $3
group by t.name
order by count(*) desc, t.name
limit $4
