-- The base that deltas are folded into.
select a.project_id, a.event_type_id, a.day as "day: jiff_sqlx::Date", a.bitmap
from unnest($1::int[], $2::int[], $3::date[]) as wanted (project_id, event_type_id, day)
join active_users a using (project_id, event_type_id, day)
