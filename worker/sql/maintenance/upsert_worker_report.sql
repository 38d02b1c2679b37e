insert into worker_reports (worker_id, started_at, reported_at, events_stored, events_per_second, last_error, last_error_at)
values ($1, $2, now(), $3, $4, $5, $6)
on conflict (worker_id) do update
set reported_at = excluded.reported_at,
    events_stored = excluded.events_stored,
    events_per_second = excluded.events_per_second,
    last_error = excluded.last_error,
    last_error_at = excluded.last_error_at
