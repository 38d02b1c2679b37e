-- None of its days is left.
delete from active_user_spans
where project_id = $1
  and first_day = $2
  and last_day = $3
