-- The counts of the hours of a day, sorted by key.
insert into event_hours (project_id, event_type_id, day, hour, utc_offset, n)
select $1, event_type_id, $2, hour, utc_offset, n
from unnest($3::int[], $4::smallint[], $5::int[], $6::bigint[]) as counted (event_type_id, hour, utc_offset, n)
