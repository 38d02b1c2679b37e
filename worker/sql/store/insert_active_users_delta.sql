-- Appends the active users of one batch. Appending waits for no other session.
insert into active_users_delta (project_id, event_type_id, day, bitmap)
select project_id, event_type_id, day, bitmap
from unnest($1::int[], $2::int[], $3::date[], $4::bytea[]) as delta (project_id, event_type_id, day, bitmap)
