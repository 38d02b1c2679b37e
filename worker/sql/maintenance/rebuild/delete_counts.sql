-- Deletes the counts of a day that this snapshot shows, of base and deltas. What is stored meanwhile stays.
with from_deltas as (
    delete from event_counts_delta
    where project_id = $1
      and day = $2
),
from_hours as (
    delete from event_hours
    where project_id = $1
      and day = $2
)
delete from event_counts
where project_id = $1
  and day = $2
