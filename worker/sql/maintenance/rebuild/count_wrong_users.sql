-- How many users of a project are not in base and deltas as the rows say.
with stated as (
    -- what the base and each batch say about a user
    select ord, first_seen, last_seen, events
    from user_activity
    where project_id = $1
    union all
    select changed.ord, changed.first_seen, changed.last_seen, changed.events
    from user_activity_delta d
    cross join unnest(ords, first_seens, last_seens, d.events) as changed (ord, first_seen, last_seen, events)
    where d.project_id = $1
),
stored as (
    select ord, min(first_seen) as first_seen, max(last_seen) as last_seen, sum(events)::bigint as events
    from stated
    group by ord
),
from_rows as (
    select user_ord as ord, min(occurred_at) as first_seen, max(occurred_at) as last_seen, count(*) as events
    from events
    where project_id = $1
    group by user_ord
)
select count(*) as "wrong!"
from stored s
full join from_rows r on r.ord = s.ord
where (s.first_seen, s.last_seen, s.events) is distinct from (r.first_seen, r.last_seen, r.events)
