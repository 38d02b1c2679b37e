-- As if it had changed later.
update active_user_spans
set lacking_since = now() + make_interval(secs => $4)
where project_id = $1
  and first_day = $2
  and last_day = $3
