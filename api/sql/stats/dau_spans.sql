-- The active users of the weeks or months of a period: a stored count if the whole week or month was united and has no
-- deltas, and otherwise the bitmaps of which it consists. $5 is the least number of days of a week or month, $6 the largest.
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
),
spans as (
    -- unions exist for all event types together
    select
        s.first_day,
        s.last_day,
        s.users_count,
        s.bitmap,
        exists (select from pending p where p.day between s.first_day and s.last_day) as has_deltas
    from active_user_spans s
    where s.project_id = $1
      and $4::text is null
      and s.first_day >= $2
      and s.last_day <= $3
      and s.last_day - s.first_day + 1 between $5::int and $6::int
      and s.bitmap is not null
)
select
    s.first_day as "day!: jiff_sqlx::Date",
    case when not s.has_deltas then s.users_count end as users_count,
    case when s.has_deltas then s.bitmap end as bitmap
from spans s
union all
select a.day, null, a.bitmap
from active_users a
where a.project_id = $1
  and a.event_type_id = (select id from kind)
  and a.day between $2 and $3
  and not exists (select from spans s where a.day between s.first_day and s.last_day)
union all
select p.day, null, p.bitmap
from pending p
