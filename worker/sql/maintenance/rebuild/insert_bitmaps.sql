-- Who was active on a day, sorted by type.
insert into active_users (project_id, event_type_id, day, users_count, bitmap)
select $1, event_type_id, $2, users_count, bitmap
from unnest($3::int[], $4::int[], $5::bytea[]) as active (event_type_id, users_count, bitmap)
