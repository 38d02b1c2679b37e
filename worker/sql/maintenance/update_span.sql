update active_user_spans
set users_count = $4,
    bitmap = $5
where project_id = $1
  and first_day = $2
  and last_day = $3
