-- A page of users by id: ids from $2 on and before $3, except $4; or the one user $5. Base and deltas are
-- read in one statement, so the numbers are right even during a fold.
select
    u.ord,
    u.actor as user_id,
    activity.first_seen,
    activity.last_seen,
    activity.events
from users u
cross join lateral (
    select min(first_seen) as first_seen, max(last_seen) as last_seen, sum(events)::bigint as events
    from (
        select first_seen, last_seen, events
        from user_activity
        where project_id = $1
          and ord = u.ord
        union all
        -- the arrays are sorted by ord
        select first_seens[place], last_seens[place], events[place]
        from user_activity_delta
        cross join lateral (select width_bucket(u.ord, ords) as place) as found
        where project_id = $1
          and first_ord <= u.ord
          and last_ord >= u.ord
          and ords[place] = u.ord
    ) as known
) as activity
where u.project_id = $1
  and u.actor >= $2
  and ($3::text is null or u.actor < $3)
  and ($4::text is null or u.actor <> $4)
  and ($5::text is null or u.actor = $5)
  -- a batch that was not stored may have left a number without events
  and activity.events is not null
order by u.actor
limit $6
