-- How many deltas wait, counted up to a limit, and the age of the oldest of them.
select
    count(*) as "waiting!",
    coalesce(greatest(extract(epoch from now() - min(added_at)), 0), 0)::float8 as "oldest_age_secs!"
from (
    select added_at
    from active_users_delta
    limit $1
) as counted
