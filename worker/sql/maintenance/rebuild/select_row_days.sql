-- The days in UTC on which a project has rows from the instant $2 until before $3.
select distinct (occurred_at at time zone 'UTC')::date as "day!: jiff_sqlx::Date"
from events
where project_id = $1
  and occurred_at >= $2
  and occurred_at < $3
