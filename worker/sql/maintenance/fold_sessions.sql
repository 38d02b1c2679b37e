-- Folds deltas of a project into the base: at least one row of deltas, and no more rows than have $2 sessions
-- together. It begins with the oldest row and continues in the order of keys, in which rows about the same
-- sessions are neighbours. There is no join, so the time of every plan is proportional to the number of
-- sessions.
with waiting as (
    -- the index gives the rows in the order of keys; each row has at least one session, so $2 rows are enough
    select ctid, first_session_id, last_session_id, sessions
    from sessions_delta
    where project_id = $1
      and first_session_id >= (
          select first_session_id
          from sessions_delta
          where project_id = $1
          order by added_at
          limit 1
      )
    order by first_session_id, last_session_id
    limit $2
),
summed as (
    -- the number of sessions in the rows before each row
    select ctid, sum(sessions) over (order by first_session_id, last_session_id, ctid rows unbounded preceding) - sessions as before
    from waiting
),
taken as (
    delete from sessions_delta
    where ctid = any (array(
        select ctid
        from summed
        where before < $2
    ))
    returning session_ids, user_ids, user_ranks, user_ats, user_event_ids, started_ats, last_event_ats, events
),
changes as (
    -- one row for each session of each batch
    select
        changed.session_id,
        changed.user_id,
        changed.user_rank,
        changed.user_at,
        changed.user_event_id,
        changed.started_at,
        changed.last_event_at,
        changed.events
    from taken
    cross join unnest(session_ids, user_ids, user_ranks, user_ats, user_event_ids, started_ats, last_event_ats, taken.events)
        as changed (session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events)
),
merged as (
    -- one row per session, so that the upsert changes each session once; the first row in this order decides
    -- who the user is
    select distinct on (session_id)
        session_id,
        user_id,
        user_rank,
        user_at,
        user_event_id,
        min(started_at) over whole_session as started_at,
        max(last_event_at) over whole_session as last_event_at,
        (sum(events) over whole_session)::bigint as events
    from changes
    window whole_session as (partition by session_id)
    order by session_id, user_rank desc, user_at desc, user_event_id desc
),
folded as (
    -- in the order of keys, as all statements write, so that they cannot deadlock; the greater of base and
    -- delta decides who the user is
    insert into sessions as base (
        project_id, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
    )
    select $1, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
    from merged
    order by session_id
    on conflict (project_id, session_id) do update
    set user_id = case
            when (excluded.user_rank, excluded.user_at, excluded.user_event_id) > (base.user_rank, base.user_at, base.user_event_id) then excluded.user_id
            else base.user_id
        end,
        user_rank = case
            when (excluded.user_rank, excluded.user_at, excluded.user_event_id) > (base.user_rank, base.user_at, base.user_event_id) then excluded.user_rank
            else base.user_rank
        end,
        user_at = case
            when (excluded.user_rank, excluded.user_at, excluded.user_event_id) > (base.user_rank, base.user_at, base.user_event_id) then excluded.user_at
            else base.user_at
        end,
        user_event_id = case
            when (excluded.user_rank, excluded.user_at, excluded.user_event_id) > (base.user_rank, base.user_at, base.user_event_id) then excluded.user_event_id
            else base.user_event_id
        end,
        started_at = least(base.started_at, excluded.started_at),
        last_event_at = greatest(base.last_event_at, excluded.last_event_at),
        events = base.events + excluded.events
    returning session_id
)
select
    (select count(*) from changes) as "deltas!",
    (select count(*) from folded) as "keys!"
