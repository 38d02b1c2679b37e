insert into earlier_users (project_id, bitmap)
values ($1, $2)
on conflict (project_id) do update
set bitmap = excluded.bitmap
