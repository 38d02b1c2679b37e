-- The sessions of a project from its rows, in the order of keys.
insert into sessions (
    project_id, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
)
with ranked as (
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
select $1, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
from from_rows
order by session_id
