-- Whether rows of a project are missing from events in a span of UTC days, because they are archived and were dropped;
-- the first and the last such day, and how many there are.
select
    min(day) as "first: jiff_sqlx::Date",
    max(day) as "last: jiff_sqlx::Date",
    count(*) as "days!"
from archived_days
where project_id = $1
  and day between $2 and $3
  and dropped_generation is not null
  -- earlier events have expired, wherever they are
  and day >= coalesce((select kept_from from projects where id = $1), '-infinity')
