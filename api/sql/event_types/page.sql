-- A page of event types by name: those that begin with $2, after $3. Look-ups in the indexes of base and
-- deltas find the first and the last day of each type.
select
    t.id as "id!",
    t.name as "name!",
    least(
        (select min(day) from active_users a where a.project_id = $1 and a.event_type_id = t.id),
        (select min(day) from active_users_delta d where d.project_id = $1 and d.event_type_id = t.id)
    ) as "first_day: jiff_sqlx::Date",
    greatest(
        (select max(day) from active_users a where a.project_id = $1 and a.event_type_id = t.id),
        (select max(day) from active_users_delta d where d.project_id = $1 and d.event_type_id = t.id)
    ) as "last_day: jiff_sqlx::Date"
from event_types t
where t.project_id = $1
  and t.name >= $2
  and starts_with(t.name, $2)
  and ($3::text is null or t.name > $3)
order by t.name
limit $4
