-- Deletes the activity of users of a project that this snapshot shows, of base and deltas. What is stored meanwhile stays.
with from_deltas as (
    delete from user_activity_delta
    where project_id = $1
)
delete from user_activity
where project_id = $1
