-- The number of sessions that sessions.sql lists for a user ($2).
with waiting as (
    -- deltas that are not folded yet, one row for each session of a batch
    select part.*
    from sessions_delta d
    cross join lateral unnest(d.session_ids, d.user_ids, d.user_ranks, d.user_ats, d.user_event_ids)
        as part (session_id, user_id, user_rank, user_at, user_event_id)
    where d.project_id = $1
),
touched as (
    -- these deltas and the base rows of the same sessions
    select * from waiting
    union all
    select session_id, user_id, user_rank, user_at, user_event_id
    from sessions
    where project_id = $1
      and session_id in (select session_id from waiting)
),
merged as (
    -- one row per session; the greatest (user_rank, user_at, user_event_id) decides who its user is
    select distinct on (session_id) session_id, user_id
    from touched
    order by session_id, user_rank desc, user_at desc nulls last, user_event_id desc nulls last
)
select
    (select count(*) from merged where user_id = $2)
    + (
        select count(*)
        from sessions s
        where project_id = $1
          and user_id = $2
          and not exists (select from waiting w where w.session_id = s.session_id)
    ) as "sessions!"
