-- Appends the event counts of one batch. Appending waits for no other session.
insert into event_counts_delta (project_id, day, event_type_id, n)
select project_id, day, event_type_id, n
from unnest($1::int[], $2::date[], $3::int[], $4::bigint[]) as delta (project_id, day, event_type_id, n)
