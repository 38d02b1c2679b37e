-- The bitmaps of several series. A series has an event type, or none for all types, and a range of days.
with wanted as (
    -- the series with the numbers of their types; an unknown type has no number
    select
        s.series,
        s.from_day,
        s.to_day,
        case when s.name is null then 0 else t.id end as event_type_id
    from unnest($2::int[], $3::text[], $4::date[], $5::date[]) as s (series, name, from_day, to_day)
    left join event_types t on t.project_id = $1 and t.name = s.name
)
select
    w.series as "series!",
    b.day as "day!: jiff_sqlx::Date",
    b.bitmap as "bitmap!"
from wanted w
cross join lateral (
    -- base and deltas are read in one statement, so the union is right even during a fold
    select a.day, a.bitmap
    from active_users a
    where a.project_id = $1
      and a.event_type_id = w.event_type_id
      and a.day between w.from_day and w.to_day
    union all
    select d.day, d.bitmap
    from active_users_delta d
    where d.project_id = $1
      and d.event_type_id = w.event_type_id
      and d.day between w.from_day and w.to_day
) b
