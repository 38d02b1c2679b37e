-- Workers whose latest report is recent. They report every two seconds.
select
    worker_id,
    started_at as "started_at: jiff_sqlx::Timestamp",
    reported_at as "reported_at: jiff_sqlx::Timestamp",
    events_stored,
    events_per_second,
    last_error,
    last_error_at as "last_error_at: jiff_sqlx::Timestamp"
from worker_reports
where reported_at > now() - interval '10 seconds'
order by started_at, worker_id
limit 1000
