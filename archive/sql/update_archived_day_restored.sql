-- Records that the rows of a day are in the table again, if they were dropped; returns up to which generation.
with dropped as (
    select project_id, day, dropped_generation
    from archived_days
    where project_id = $1
      and day = $2
      and dropped_generation is not null
    for update
)
update archived_days
set dropped_generation = null, dropped_at = null, restored_at = now()
from dropped
where archived_days.project_id = dropped.project_id
  and archived_days.day = dropped.day
returning dropped.dropped_generation as "dropped_generation!"
