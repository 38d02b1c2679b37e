-- The active users on the days of a period as bitmaps of some types; number 0 stands for all types together.
-- Base and deltas are read in one statement, so the union is right even during a fold. The rows are
-- ordered so that the program holds the users of one bucket at a time.
select
    event_type_id as "event_type_id!",
    day as "day!: jiff_sqlx::Date",
    bitmap as "bitmap!"
from active_users
where project_id = $1
  and event_type_id = any ($2)
  and day between $3 and $4
union all
select event_type_id, day, bitmap
from active_users_delta
where project_id = $1
  and event_type_id = any ($2)
  and day between $3 and $4
order by 1, 2
