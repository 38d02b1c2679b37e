-- What a project has in the rollups from before the day $2 in its time zone, which begins at about the instant $3: days
-- with counts, and sessions and users whose last event is older. Deltas of these are folded within seconds.
select
    (
        select count(distinct day)
        from (
            select day from event_counts where project_id = $1 and day < $2
            union all
            select day from event_counts_delta where project_id = $1 and day < $2
        ) as counted
    ) as "days!",
    (select count(*) from sessions where project_id = $1 and last_event_at < $3) as "sessions!",
    (select count(*) from user_activity where project_id = $1 and last_seen < $3) as "users!"
