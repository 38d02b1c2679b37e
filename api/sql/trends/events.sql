-- How many events each bucket of a period had, computed from the rows, by event type and by the value of a
-- property. Ranks 1 to 20 are the most frequent values of a type, and rank 21 is all other values together.
--
-- The API replaces the first mark and its null by the property, and the second mark by the filters. Without
-- that, the statement is still valid: it reads no property and has no filters.
with counted as (
    -- number 0 stands for all types together; buckets begin at instants, so this statement needs no time zone
    select
        case when $2::int[] is null then 0 else e.event_type_id end as event_type_id,
        /* property */ null::text as value,
        ($6::int[])[width_bucket(e.occurred_at, $5::timestamptz[])] as bucket,
        count(*) as n
    from events e
    where e.project_id = $1
      and e.occurred_at >= $3
      and e.occurred_at < $4
      and ($2::int[] is null or e.event_type_id = any ($2))
      /* filters */
    group by 1, 2, 3
),
collected as (
    select event_type_id, value, sum(n) as total, array_agg(bucket) as buckets, array_agg(n) as counts
    from counted
    where bucket is not null
    group by event_type_id, value
),
ranked as (
    select
        event_type_id,
        value,
        buckets,
        counts,
        row_number() over (partition by event_type_id order by total desc, value collate "C" nulls last) as rank
    from collected
)
select
    r.event_type_id,
    least(r.rank, 21)::int as rank,
    -- one character more than the program shows, so that it knows whether there are more
    left(max(r.value) filter (where r.rank <= 20), 201) as value,
    p.bucket,
    sum(p.n)::bigint as n
from ranked r
cross join lateral unnest(r.buckets, r.counts) as p (bucket, n)
group by 1, 2, p.bucket
