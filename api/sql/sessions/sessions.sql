-- A page of sessions, latest activity first: all sessions of a project, those of one user ($2), or one
-- session ($3). Base and deltas are read in one statement, so each session is right even during a fold.
with waiting as (
    -- deltas that are not folded yet, one row for each session of a batch
    select part.*
    from sessions_delta d
    cross join lateral unnest(
        d.session_ids, d.user_ids, d.user_ranks, d.user_ats, d.user_event_ids, d.started_ats, d.last_event_ats, d.events
    ) as part (session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events)
    where d.project_id = $1
      and ($3::text is null or $3 between d.first_session_id and d.last_session_id)
      and ($3::text is null or part.session_id = $3)
),
touched as (
    -- these deltas and the base rows of the same sessions
    select * from waiting
    union all
    select session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
    from sessions
    where project_id = $1
      and session_id in (select session_id from waiting)
),
merged as (
    -- one row per session; the greatest (user_rank, user_at, user_event_id) decides who its user is
    select
        session_id,
        (array_agg(user_id order by user_rank desc, user_at desc nulls last, user_event_id desc nulls last))[1] as user_id,
        min(started_at) as started_at,
        max(last_event_at) as last_event_at,
        sum(events)::bigint as events
    from touched
    group by session_id
),
found as (
    select session_id, user_id, started_at, last_event_at, events
    from merged
    where ($2::text is null or user_id = $2)
      and last_event_at >= $4
      and last_event_at < $5
      and ($6::timestamptz is null or (last_event_at, session_id) < ($6, $7::text collate "C"))
    union all
    (
        select session_id, user_id, started_at, last_event_at, events
        from sessions s
        where project_id = $1
          and ($2::text is null or user_id = $2)
          and ($3::text is null or session_id = $3)
          and last_event_at >= $4
          and last_event_at < $5
          and ($6::timestamptz is null or (last_event_at, session_id) < ($6, $7::text collate "C"))
          and not exists (select from waiting w where w.session_id = s.session_id)
        order by last_event_at desc, session_id desc
        limit $8
    )
)
select session_id, user_id, started_at, last_event_at, events
from found
order by last_event_at desc, session_id desc
limit $8
