-- Whoever changes a day of the span waits until this transaction has ended, and then removes the union.
select project_id
from active_user_spans
where project_id = $1
  and first_day = $2
  and last_day = $3
  and bitmap is null
for update
