-- The first days whose events are kept, of those projects of which a batch has events of earlier days than today; nothing
-- of projects that keep everything. Nobody moves kept_from until the transaction ends, and if somebody is moving it,
-- this waits and returns the new one. A batch of today's events locks nothing, and neither does a project without a
-- horizon: identities of a first horizon are deleted after it was set, so whoever checked before had found them.
select
    p.id as "project_id!",
    greatest(p.kept_from, (now() at time zone 'UTC')::date - p.retention_days) as "horizon: jiff_sqlx::Date"
from projects p
join unnest($1::int[], $2::date[]) as batch (project_id, oldest_day) on batch.project_id = p.id
where batch.oldest_day < (now() at time zone 'UTC')::date
  and (p.kept_from is not null or p.retention_days is not null)
order by p.id
for key share of p
