-- The next project that has deltas of users, after the given one or else from the beginning.
select coalesce(
    (select project_id from user_activity_delta where project_id > $1 order by project_id limit 1),
    (select project_id from user_activity_delta order by project_id limit 1)
) as project_id
