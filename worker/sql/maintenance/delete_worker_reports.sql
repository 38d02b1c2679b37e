-- Reports of workers that are gone: they end with a clean stop, or a day after the last word.
delete from worker_reports
where worker_id = $1
   or reported_at < now() - interval '1 day'
