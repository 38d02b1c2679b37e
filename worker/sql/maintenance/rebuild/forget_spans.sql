-- Workers unite the days of weeks and months again.
update active_user_spans
set users_count = null,
    bitmap = null
where project_id = $1
  and bitmap is not null
