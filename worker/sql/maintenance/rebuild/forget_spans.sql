-- Workers unite the days of weeks and months again. Without a first or last day, all of them.
update active_user_spans
set users_count = null,
    bitmap = null
where project_id = $1
  and last_day >= coalesce($2::date, last_day)
  and first_day <= coalesce($3::date, first_day)
  and bitmap is not null
