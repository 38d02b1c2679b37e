-- The counts of a day, sorted by type.
insert into event_counts (project_id, day, event_type_id, n)
select $1, $2, event_type_id, n
from unnest($3::int[], $4::bigint[]) as counted (event_type_id, n)
