-- Appends the event counts of one batch. Appending waits for no other session. A worker that does not
-- say that it writes sessions is refused: see migration 0013.
insert into event_counts_delta (project_id, day, hour, utc_offset, event_type_id, n, has_sessions)
select project_id, day, hour, utc_offset, event_type_id, n, true
from unnest($1::int[], $2::date[], $3::smallint[], $4::int[], $5::int[], $6::bigint[])
    as delta (project_id, day, hour, utc_offset, event_type_id, n)
