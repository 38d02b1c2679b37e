-- The same counts as stats/retention.sql, computed from the rows.
--
-- The statement only groups large sets and never joins two of them. The planner has no statistics about
-- intermediate results, so it would expect few rows and join them with nested loops.
with days as (
    -- the days of the project's time zone on which each actor had an event of the wanted types; no type means
    -- any
    select
        coalesce(e.user_id, e.anonymous_id, e.session_id) as actor,
        (e.occurred_at at time zone $6)::date as day,
        bool_or($7::text is null or e.event_type_id = (select id from event_types where project_id = $1 and name = $7)) as begins,
        bool_or($8::text is null or e.event_type_id = (select id from event_types where project_id = $1 and name = $8)) as returns
    from events e
    where e.project_id = $1
      -- events before the windows matter only for new users; two days of margin for the time zone; written in
      -- UTC, so that the planner skips other partitions
      and ($9 or e.occurred_at >= (($2::date[])[1] - interval '2 days') at time zone 'UTC')
      and e.occurred_at < (($3::date[])[cardinality($3::date[])] + interval '3 days') at time zone 'UTC'
    group by 1, 2
),
numbered as (
    -- the windows follow each other without gaps, so width_bucket can find the window of a day
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
    -- each of the first $4 windows has a cohort; a cohort of new users contains only those with no earlier
    -- event
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
