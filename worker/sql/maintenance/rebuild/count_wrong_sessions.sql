-- How many sessions of a project are not in base and deltas as the rows say.
with stated as (
    -- what the base and each batch say about a session
    select session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
    from sessions
    where project_id = $1
    union all
    select
        changed.session_id,
        changed.user_id,
        changed.user_rank,
        changed.user_at,
        changed.user_event_id,
        changed.started_at,
        changed.last_event_at,
        changed.events
    from sessions_delta d
    cross join unnest(session_ids, user_ids, user_ranks, user_ats, user_event_ids, started_ats, last_event_ats, d.events)
        as changed (session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events)
    where d.project_id = $1
),
stored as (
    -- one row per session; the first in this order decides who the user is
    select distinct on (session_id)
        session_id,
        user_id,
        user_rank,
        user_at,
        user_event_id,
        min(started_at) over whole_session as started_at,
        max(last_event_at) over whole_session as last_event_at,
        (sum(events) over whole_session)::bigint as events
    from stated
    window whole_session as (partition by session_id)
    order by session_id, user_rank desc, user_at desc, user_event_id desc
),
ranked as (
    -- each event of a session with what it says about the session's user
    select
        session_id collate "C" as session_id,
        coalesce(user_id, anonymous_id) collate "C" as user_id,
        (case when user_id is not null then 2 when anonymous_id is not null then 1 else 0 end)::smallint as user_rank,
        occurred_at,
        event_id
    from events
    where project_id = $1
      and session_id is not null
),
from_rows as (
    -- one row per session; the first event in this order decides who the user is
    select distinct on (session_id)
        session_id,
        user_id,
        user_rank,
        case when user_rank > 0 then occurred_at end as user_at,
        case when user_rank > 0 then event_id end as user_event_id,
        min(occurred_at) over whole_session as started_at,
        max(occurred_at) over whole_session as last_event_at,
        count(*) over whole_session as events
    from ranked
    window whole_session as (partition by session_id)
    order by session_id, user_rank desc, occurred_at desc, event_id desc
)
select count(*) as "wrong!"
from stored s
full join from_rows r on r.session_id = s.session_id
where (s.user_id, s.user_rank, s.user_at, s.user_event_id, s.started_at, s.last_event_at, s.events)
    is distinct from (r.user_id, r.user_rank, r.user_at, r.user_event_id, r.started_at, r.last_event_at, r.events)
