-- The base of a project with the deltas folded in. The arrays are sorted by key.
insert into active_users (project_id, event_type_id, day, users_count, bitmap)
select $1, event_type_id, day, users_count, bitmap
from unnest($2::int[], $3::date[], $4::int[], $5::bytea[])
    as folded (event_type_id, day, users_count, bitmap)
on conflict (project_id, event_type_id, day) do update
set users_count = excluded.users_count,
    bitmap = excluded.bitmap
