-- How many deltas wait, counted up to a limit of rows, and the age of the oldest of them.
select
    coalesce(sum(sessions), 0)::bigint as "waiting!",
    coalesce(greatest(extract(epoch from now() - min(added_at)), 0), 0)::float8 as "oldest_age_secs!"
from (
    select sessions, added_at
    from sessions_delta
    limit $1
) as counted
