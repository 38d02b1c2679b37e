-- The same counts as the bitmaps give, from the rows themselves.
--
-- Every large set is read once and only grouped, never joined with another: without statistics the
-- planner takes such joins for tiny and does them in loops.
with days as (
    -- who did what was asked for on which day of the project's calendar; no type means any
    select
        coalesce(e.user_id, e.anonymous_id, e.session_id) as actor,
        (e.occurred_at at time zone $6)::date as day,
        bool_or($7::text is null or e.event_type_id = (select id from event_types where project_id = $1 and name = $7)) as begins,
        bool_or($8::text is null or e.event_type_id = (select id from event_types where project_id = $1 and name = $8)) as returns
    from events e
    where e.project_id = $1
      -- only for new users does the time before the windows matter; slack for the zone; in UTC, so
      -- that the planner leaves other days' partitions alone
      and ($9 or e.occurred_at >= (($2::date[])[1] - interval '2 days') at time zone 'UTC')
      and e.occurred_at < (($3::date[])[cardinality($3::date[])] + interval '3 days') at time zone 'UTC'
    group by 1, 2
),
numbered as (
    -- the windows follow each other without gaps, so the days they begin with are buckets
    select
        actor,
        day,
        begins,
        returns,
        case when day <= ($3::date[])[cardinality($3::date[])] then nullif(width_bucket(day, $2::date[]), 0) end as k
    from days
),
people as (
    select
        actor,
        min(day) as first_day,
        array_agg(distinct k) filter (where begins and k <= $4) as cohorts,
        array_agg(distinct k) filter (where returns and k is not null) as returns
    from numbered
    group by actor
),
members as (
    -- the first $4 windows each begin a cohort; one of new users has those never seen before it
    select c.k, p.returns
    from people p
    cross join lateral unnest(p.cohorts) as c (k)
    where not $9 or p.first_day >= ($2::date[])[c.k]
)
select
    m.k::bigint as "cohort!",
    0::bigint as "window!",
    count(*) as "users!"
from members m
group by m.k
union all
select m.k, r.k - m.k, count(*)
from members m
cross join lateral unnest(m.returns) as r (k)
where r.k between m.k + 1 and m.k + $5
group by m.k, r.k - m.k
