-- The base rows into which deltas of a project are folded, looked up key by key; null if there is none.
select
    wanted.event_type_id as "event_type_id!",
    wanted.day as "day!: jiff_sqlx::Date",
    (
        select a.bitmap
        from active_users a
        where a.project_id = $1
          and a.event_type_id = wanted.event_type_id
          and a.day = wanted.day
    ) as bitmap
from unnest($2::int[], $3::date[]) as wanted (event_type_id, day)
