-- The events of the steps of a funnel, in any order, for the people whose number modulo $6 is $7. Events of
-- the first step also have the value of a property.
--
-- The API replaces the first mark and its null by the property, and the second mark by the filters. Without
-- that, the statement is still valid: it reads no property and has no filters.
select
    e.user_ord,
    e.event_type_id,
    e.occurred_at,
    e.event_id,
    case when e.event_type_id = $5 then /* property */ null::text end as value
from events e
where e.project_id = $1
  and e.event_type_id = any ($2)
  and e.occurred_at >= $3
  and e.occurred_at < $4
  and mod(e.user_ord, $6) = $7
  /* filters */
