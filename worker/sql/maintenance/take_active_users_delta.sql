-- Removes and returns the first deltas of a project, which the caller folds into the base in the same
-- transaction: at most $2 rows, and at most $3 bytes together with the base rows that they change, but at
-- least one row.
with waiting as (
    -- the index gives the deltas in the order of keys; octet_length does not read the bitmaps
    select ctid, event_type_id, day, octet_length(bitmap)::bigint as bytes
    from active_users_delta
    where project_id = $1
    order by event_type_id, day
    limit $2
),
numbered as (
    -- the base row of each key is counted with the first delta of the key
    select
        ctid,
        event_type_id,
        day,
        bytes,
        row_number() over (partition by event_type_id, day order by ctid) as place_in_key
    from waiting
),
sized as (
    -- the bytes of each delta, with those of the base row for the first delta of a key
    select
        ctid,
        event_type_id,
        day,
        place_in_key,
        bytes + case
            when place_in_key > 1 then 0
            else coalesce(
                (
                    select octet_length(a.bitmap)::bigint
                    from active_users a
                    where a.project_id = $1
                      and a.event_type_id = numbered.event_type_id
                      and a.day = numbered.day
                ),
                0
            )
        end as bytes
    from numbered
),
summed as (
    -- the bytes of all deltas up to each of them
    select
        ctid,
        (sum(bytes) over preceding)::bigint as bytes,
        row_number() over preceding as place
    from sized
    window preceding as (order by event_type_id, day, place_in_key rows unbounded preceding)
)
delete from active_users_delta
where ctid = any (array(
    select ctid
    from summed
    where bytes <= $3
       or place = 1
))
returning event_type_id, day as "day: jiff_sqlx::Date", bitmap
