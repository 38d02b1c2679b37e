-- How many deltas wait, counted up to a limit of rows, and the age of the oldest of them.
select
    coalesce(sum(users), 0)::bigint as "waiting!",
    coalesce(greatest(extract(epoch from now() - min(added_at)), 0), 0)::float8 as "oldest_age_secs!"
from (
    select users, added_at
    from user_activity_delta
    limit $1
) as counted
