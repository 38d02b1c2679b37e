-- The same answer as stats/dau.sql, computed from the rows without the bitmaps and the dictionary of users.
with active as (
    -- the days of the project's time zone on which each actor was active
    select
        (e.occurred_at at time zone $5)::date as day,
        coalesce(e.user_id, e.anonymous_id, e.session_id) as actor
    from events e
    where e.project_id = $1
      -- two days of margin for the time zone; written in UTC, so that the planner skips other partitions
      and e.occurred_at >= ($2::date - interval '2 days') at time zone 'UTC'
      and e.occurred_at < ($3::date + interval '3 days') at time zone 'UTC'
      and ($4::text is null or e.event_type_id = (select id from event_types where project_id = $1 and name = $4))
)
select
    date_trunc($6, day::timestamp)::date as "bucket!: jiff_sqlx::Date",
    count(distinct actor) as "users!"
from active
where day between $2 and $3
group by 1
