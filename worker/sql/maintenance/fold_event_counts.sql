-- Folds the first $2 deltas of a project into the base. There is no join, so every plan takes time in
-- proportion to the number of deltas.
with taken as (
    -- what is folded, by key through the index, and then by its place
    delete from event_counts_delta
    where ctid = any (array(
        select ctid
        from event_counts_delta
        where project_id = $1
        order by day
        limit $2
    ))
    returning day, event_type_id, n
),
sums as (
    -- one row a key, so that the upsert meets each once
    select day, event_type_id, sum(n)::bigint as n
    from taken
    group by day, event_type_id
),
folded as (
    -- in the order of keys, as everybody writes
    insert into event_counts (project_id, day, event_type_id, n)
    select $1, day, event_type_id, n
    from sums
    order by day, event_type_id
    on conflict (project_id, day, event_type_id) do update
    set n = event_counts.n + excluded.n
    returning day
)
select
    (select count(*) from taken) as "deltas!",
    (select count(*) from folded) as "keys!"
