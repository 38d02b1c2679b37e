-- Deletes the bitmaps of a day that this snapshot shows, of base and deltas. What is stored meanwhile stays.
with from_deltas as (
    delete from active_users_delta
    where project_id = $1
      and day = $2
)
delete from active_users
where project_id = $1
  and day = $2
