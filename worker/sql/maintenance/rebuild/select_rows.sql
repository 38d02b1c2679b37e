-- What the counts of a day need of the rows of a project from the instant $2 until before $3.
select
    event_type_id,
    user_ord,
    occurred_at as "occurred_at: jiff_sqlx::Timestamp"
from events
where project_id = $1
  and occurred_at >= $2
  and occurred_at < $3
