-- The days, in the time zone of a project, of which the rollups say something.
select day as "day!: jiff_sqlx::Date" from event_counts where project_id = $1
union
select day from event_hours where project_id = $1
union
select day from event_counts_delta where project_id = $1
union
select day from active_users where project_id = $1
union
select day from active_users_delta where project_id = $1
