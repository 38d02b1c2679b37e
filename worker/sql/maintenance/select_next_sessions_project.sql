-- The next project that has deltas of sessions, after the given one or else from the beginning.
select coalesce(
    (select project_id from sessions_delta where project_id > $1 order by project_id limit 1),
    (select project_id from sessions_delta order by project_id limit 1)
) as project_id
