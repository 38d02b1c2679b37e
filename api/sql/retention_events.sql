-- The same counts as the bitmaps give, from the rows themselves.
with windows as (
    -- consecutive windows; the first $4 of them begin a cohort
    select w.k, w.from_day, w.to_day
    from unnest($2::date[], $3::date[]) with ordinality as w (from_day, to_day, k)
),
seen as (
    -- who did what on which day of the project's calendar
    select
        coalesce(e.user_id, e.anonymous_id, e.session_id) as actor,
        t.name as event_type,
        (e.occurred_at at time zone $6)::date as day
    from events e
    join event_types t on t.project_id = e.project_id and t.id = e.event_type_id
    where e.project_id = $1
      -- only for new users does the time before the windows matter; slack for the zone
      and ($9 or e.occurred_at >= (select min(from_day) from windows) - interval '2 days')
      and e.occurred_at < (select max(to_day) from windows) + interval '3 days'
),
first_seen as (
    -- the first day of everyone
    select actor, min(day) as day
    from seen
    group by actor
),
cohorts as (
    -- who belongs to which cohort
    select distinct w.k, s.actor
    from windows w
    join seen s on s.day between w.from_day and w.to_day
    join first_seen f on f.actor = s.actor
    where w.k <= $4
      and ($7::text is null or s.event_type = $7)
      and (not $9 or f.day >= w.from_day)
),
returns as (
    -- who came back when
    select distinct w.k, s.actor
    from windows w
    join seen s on s.day between w.from_day and w.to_day
    where $8::text is null or s.event_type = $8
)
select
    c.k as "cohort!",
    0::bigint as "window!",
    count(*) as "users!"
from cohorts c
group by c.k
union all
select c.k, r.k - c.k, count(*)
from cohorts c
join returns r on r.actor = c.actor and r.k between c.k + 1 and c.k + $5
group by c.k, r.k - c.k
