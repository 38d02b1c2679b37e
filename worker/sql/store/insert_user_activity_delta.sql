-- The users of a small batch. Those of a large batch are written by COPY. Each number in $1 becomes one row.
insert into user_activity_delta (
    project_id, first_ord, last_ord, users, ords, first_seens, last_seens, events
)
select
    project_id,
    min(ord),
    max(ord),
    count(*),
    -- sorted, because readers use a binary search for an ord
    array_agg(ord order by ord),
    -- microseconds since 1970; a double represents them exactly until the year 2255
    array_agg(timestamptz 'epoch' + first_us * interval '1 microsecond' order by ord),
    array_agg(timestamptz 'epoch' + last_us * interval '1 microsecond' order by ord),
    array_agg(events order by ord)
from unnest($1::int[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
    as changed (number, project_id, ord, first_us, last_us, events)
group by number, project_id
