-- Who was active on the days of a period: bitmaps of some types, where number 0 stands for all together.
-- Base and deltas in one statement, so the union is right at every moment.
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
