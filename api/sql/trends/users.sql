-- Each event of a period with its type, bucket, user and the value of a property. The API adds them to
-- bitmaps, because PostgreSQL would write to disk to group this many people.
--
-- The API replaces the first mark and its null by the property, and the second mark by the filters. Without
-- that, the statement is still valid: it reads no property and has no filters.
select
    -- number 0 stands for all types together; buckets begin at instants, so this statement needs no time zone
    case when $2::int[] is null then 0 else e.event_type_id end as event_type_id,
    ($6::int[])[width_bucket(e.occurred_at, $5::timestamptz[])] as bucket,
    e.user_ord,
    /* property */ null::text as value
from events e
where e.project_id = $1
  and e.occurred_at >= $3
  and e.occurred_at < $4
  and ($2::int[] is null or e.event_type_id = any ($2))
  /* filters */
