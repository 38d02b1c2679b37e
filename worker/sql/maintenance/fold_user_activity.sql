-- Folds deltas of a project into the base: at least one row of deltas, and no more rows than have $2 users
-- together. It begins with the oldest row and continues in the order of keys, in which rows about the same
-- users are neighbours. There is no join, so the time of every plan is proportional to the number of users.
with waiting as (
    -- the index gives the rows in the order of keys; each row has at least one user, so $2 rows are enough
    select ctid, first_ord, last_ord, users
    from user_activity_delta
    where project_id = $1
      and first_ord >= (
          select first_ord
          from user_activity_delta
          where project_id = $1
          order by added_at
          limit 1
      )
    order by first_ord, last_ord
    limit $2
),
summed as (
    -- the number of users in the rows before each row
    select ctid, sum(users) over (order by first_ord, last_ord, ctid rows unbounded preceding) - users as before
    from waiting
),
taken as (
    delete from user_activity_delta
    where ctid = any (array(
        select ctid
        from summed
        where before < $2
    ))
    returning ords, first_seens, last_seens, events
),
changes as (
    -- one row for each user of each batch
    select changed.ord, changed.first_seen, changed.last_seen, changed.events
    from taken
    cross join unnest(ords, first_seens, last_seens, taken.events) as changed (ord, first_seen, last_seen, events)
),
merged as (
    -- one row per user, so that the upsert changes each user once
    select ord, min(first_seen) as first_seen, max(last_seen) as last_seen, sum(events)::bigint as events
    from changes
    group by ord
),
folded as (
    -- in the order of keys, as all statements write, so that they cannot deadlock
    insert into user_activity as base (project_id, ord, first_seen, last_seen, events)
    select $1, ord, first_seen, last_seen, events
    from merged
    order by ord
    on conflict (project_id, ord) do update
    set first_seen = least(base.first_seen, excluded.first_seen),
        last_seen = greatest(base.last_seen, excluded.last_seen),
        events = base.events + excluded.events
    returning ord
)
select
    (select count(*) from changes) as "deltas!",
    (select count(*) from folded) as "keys!"
