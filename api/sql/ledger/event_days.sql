-- The days on which an event id was stored: one, but for ids that were used again with other times.
-- The first is the day that stands for no time, if the id was sent without one.
select day as "day: jiff_sqlx::Date"
from event_ids
where project_id = $1
  and event_id = $2
order by day
limit 100
