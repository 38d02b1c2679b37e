-- The days in UTC of a project whose rows were dropped after they were archived.
select day as "day: jiff_sqlx::Date"
from archived_days
where project_id = $1
  and dropped_generation is not null
order by day
