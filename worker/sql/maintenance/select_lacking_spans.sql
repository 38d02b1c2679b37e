-- Weeks and months that are over and whose days are not united, oldest first. Those that have changed just now may change
-- again.
select project_id, first_day as "first_day: jiff_sqlx::Date", last_day as "last_day: jiff_sqlx::Date"
from active_user_spans
where bitmap is null
  and last_day < current_date - 1
  and lacking_since <= now() - make_interval(secs => $1)
order by last_day
limit 10000
