-- The identity days of an event id. There are several if clients used the id again with times on other days.
-- The undated day comes first if the id was sent without a time.
select day as "day: jiff_sqlx::Date"
from event_ids
where project_id = $1
  and event_id = $2
order by day
limit 100
