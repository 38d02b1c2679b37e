-- Records what the archive has of a day, and which rows the table had when they were compared. Only the time of a new
-- generation counts.
insert into archived_days (project_id, day, generation, rows, bytes, rows_here, ids_here)
values ($1, $2, $3, $4, $5, $6, $7::text::numeric)
on conflict (project_id, day) do update
set
    archived_at = case
        when archived_days.generation = excluded.generation then archived_days.archived_at
        else excluded.archived_at
    end,
    generation = excluded.generation,
    rows = excluded.rows,
    bytes = excluded.bytes,
    rows_here = excluded.rows_here,
    ids_here = excluded.ids_here
