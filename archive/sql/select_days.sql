-- The days with rows in a span of time, with their fingerprints. rows.rs puts the name of the table in place of events.
select
    e.project_id,
    p.name as project,
    (e.occurred_at at time zone 'UTC')::date as date,
    count(*) as rows,
    sum(uuid_hash_extended(e.event_id, 0))::text as ids
from events e
join projects p on p.id = e.project_id
where e.occurred_at >= $1
  and e.occurred_at < $2
group by e.project_id, p.name, (e.occurred_at at time zone 'UTC')::date
order by 3, 2
