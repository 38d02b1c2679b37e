-- Folds the first $2 deltas of a project into the base, by day and by hour. There is no join, so every plan
-- takes time in proportion to the number of deltas.
with taken as (
    -- the index gives the deltas in the order of keys, and ctid then finds each of them
    delete from event_counts_delta
    where ctid = any (array(
        select ctid
        from event_counts_delta
        where project_id = $1
        order by day
        limit $2
    ))
    returning day, hour, utc_offset, event_type_id, n
),
sums as (
    -- one row per key, so that the upsert changes each key once
    select day, event_type_id, sum(n)::bigint as n
    from taken
    group by day, event_type_id
),
folded as (
    -- in the order of keys, as all statements write, so that they cannot deadlock
    insert into event_counts (project_id, day, event_type_id, n)
    select $1, day, event_type_id, n
    from sums
    order by day, event_type_id
    on conflict (project_id, day, event_type_id) do update
    set n = event_counts.n + excluded.n
    returning day
),
hour_sums as (
    -- of each type, and of all together as number 0
    select coalesce(event_type_id, 0) as event_type_id, day, hour, utc_offset, sum(n)::bigint as n
    from taken
    where hour is not null
    group by grouping sets ((event_type_id, day, hour, utc_offset), (day, hour, utc_offset))
),
folded_hours as (
    insert into event_hours (project_id, event_type_id, day, hour, utc_offset, n)
    select $1, event_type_id, day, hour, utc_offset, n
    from hour_sums
    order by event_type_id, day, hour, utc_offset
    on conflict (project_id, event_type_id, day, hour, utc_offset) do update
    set n = event_hours.n + excluded.n
    returning day
)
select
    (select count(*) from taken) as "deltas!",
    (select count(*) from folded) + (select count(*) from folded_hours) as "keys!"
