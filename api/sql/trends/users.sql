-- Who had an event of which type, in which bucket, and with which value of a property: a row an event,
-- for the program to unite. Grouping so many different people here goes to disk.
--
-- As it stands, the statement takes all events and no property. The program puts the property in place
-- of the marked null, and adds the filters where the other mark is.
select
    -- number 0 stands for all types together; the beginnings of buckets are compared as instants, so that
    -- the time zone is nobody's business here
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
