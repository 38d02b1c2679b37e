-- Claims identities. The returned identities are new; all others were stored before. The arrays are sorted by
-- day, project and id, the order in which every worker claims, so workers with the same events wait for each
-- other and cannot deadlock.
insert into event_ids (project_id, event_id, day)
select project_id, event_id, day
from unnest($1::int[], $2::uuid[], $3::date[]) as claimed (project_id, event_id, day)
on conflict do nothing
returning project_id, event_id, day as "day: jiff_sqlx::Date"
