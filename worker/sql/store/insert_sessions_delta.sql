-- The sessions of a small batch. Those of a large batch are written by COPY. Each number in $1 becomes one
-- row.
insert into sessions_delta (
    project_id, first_session_id, last_session_id, sessions, session_ids, user_ids, user_ranks,
    user_ats, user_event_ids, started_ats, last_event_ats, events
)
select
    project_id,
    min(session_id collate "C"),
    max(session_id collate "C"),
    count(*),
    array_agg(session_id),
    array_agg(user_id),
    array_agg(user_rank),
    -- microseconds since 1970; a double represents them exactly until the year 2255
    array_agg(timestamptz 'epoch' + user_us * interval '1 microsecond'),
    array_agg(user_event_id),
    array_agg(timestamptz 'epoch' + started_us * interval '1 microsecond'),
    array_agg(timestamptz 'epoch' + last_event_us * interval '1 microsecond'),
    array_agg(events)
from unnest(
    $1::int[], $2::int[], $3::text[], $4::text[], $5::smallint[],
    $6::bigint[], $7::uuid[], $8::bigint[], $9::bigint[], $10::bigint[]
) as changed (
    number, project_id, session_id, user_id, user_rank,
    user_us, user_event_id, started_us, last_event_us, events
)
group by number, project_id
