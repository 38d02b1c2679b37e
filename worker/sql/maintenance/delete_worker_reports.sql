-- Removes the report of a worker that stops, and reports that are older than a day.
delete from worker_reports
where worker_id = $1
   or reported_at < now() - interval '1 day'
