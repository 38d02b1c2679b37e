-- Appends the event counts of one batch. Appending waits for no other session. The value of has_sessions
-- shows that this worker writes sessions; migration 0013 explains why.
insert into event_counts_delta (project_id, day, hour, utc_offset, event_type_id, n, has_sessions)
select project_id, day, hour, utc_offset, event_type_id, n, true
from unnest($1::int[], $2::date[], $3::smallint[], $4::int[], $5::int[], $6::bigint[])
    as delta (project_id, day, hour, utc_offset, event_type_id, n)
