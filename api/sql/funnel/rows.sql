-- The events of the steps of a funnel, in no order: of every $6th person, beginning with number $7. Of
-- events that may be entries, the value of a property too.
--
-- As it stands, the statement reads no property. The program puts the property in place of the marked
-- null, and adds the filters where the other mark is.
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
