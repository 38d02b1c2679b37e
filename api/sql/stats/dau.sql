-- The active users on the days of a period: a stored count if the day has no deltas, and otherwise the
-- bitmaps.
with kind as (
    -- number 0 stands for all event types; an unknown type has no number
    select case when $4::text is null then 0 else (select id from event_types where project_id = $1 and name = $4) end as id
),
pending as (
    -- deltas that are not folded yet
    select d.day, d.bitmap
    from active_users_delta d
    where d.project_id = $1
      and d.event_type_id = (select id from kind)
      and d.day between $2 and $3
)
select
    a.day as "day!: jiff_sqlx::Date",
    case when a.day not in (select p.day from pending p) then a.users_count end as users_count,
    case when a.day in (select p.day from pending p) then a.bitmap end as bitmap
from active_users a
where a.project_id = $1
  and a.event_type_id = (select id from kind)
  and a.day between $2 and $3
union all
select p.day, null, p.bitmap
from pending p
