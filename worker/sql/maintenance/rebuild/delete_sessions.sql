-- Deletes the sessions of a project that this snapshot shows, of base and deltas. What is stored meanwhile stays.
with from_deltas as (
    delete from sessions_delta
    where project_id = $1
)
delete from sessions
where project_id = $1
