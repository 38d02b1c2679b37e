-- Records that the rows of a day up to a generation are not in the table any more.
update archived_days
set dropped_generation = $3, dropped_at = now()
where project_id = $1
  and day = $2
