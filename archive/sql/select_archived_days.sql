-- All archived days, oldest first.
select
    a.project_id,
    p.name as project,
    a.day as "day: jiff_sqlx::Date",
    a.generation,
    a.rows,
    a.bytes,
    a.archived_at as "archived_at: jiff_sqlx::Timestamp",
    a.rows_here,
    a.ids_here::text as "ids_here!",
    a.dropped_generation,
    a.restored_at as "restored_at: jiff_sqlx::Timestamp"
from archived_days a
join projects p on p.id = a.project_id
order by a.day, p.name
