-- A cursor over the rows of one day of one project, with names instead of numbers, sorted by person and time. rows.rs puts
-- the name of the table in place of events. The sort compares bytes, so the order does not depend on the database's
-- language. With "with hold", the commit keeps the rows, in a temporary file if they are many: they can then be fetched
-- slowly without a snapshot, which would hold vacuum back.
declare archived_rows no scroll cursor with hold for
select
    e.event_id as identity,
    coalesce(e.client_event_id, e.event_id::text) as event_id,
    t.name as event_type,
    e.user_id,
    e.anonymous_id,
    e.session_id,
    e.account_id,
    (extract(epoch from e.occurred_at) * 1000000)::bigint as occurred_at_us,
    (extract(epoch from e.received_at) * 1000000)::bigint as received_at_us,
    case
        when undated.event_id is null then false
        -- the id was sent without a time, and not with a time of this day
        when not exists (
            select
            from event_ids dated
            where dated.project_id = e.project_id
              and dated.event_id = e.event_id
              and dated.day = $4
        )
        then true
        -- it was sent both ways: if both rows are of this day, the undated one is that whose time is its receipt
        else exists (
            select
            from events other
            where other.project_id = e.project_id
              and other.event_id = e.event_id
              and other.occurred_at >= $2
              and other.occurred_at < $3
              and (abs(extract(epoch from other.received_at - other.occurred_at)), other.occurred_at)
                  > (abs(extract(epoch from e.received_at - e.occurred_at)), e.occurred_at)
        )
    end as undated,
    e.properties::text as properties
from events e
join event_types t on t.project_id = e.project_id and t.id = e.event_type_id
left join event_ids undated
    on undated.project_id = e.project_id
    and undated.event_id = e.event_id
    and undated.day = '0001-01-01'
where e.project_id = $1
  and e.occurred_at >= $2
  and e.occurred_at < $3
order by
    coalesce(e.user_id, e.anonymous_id, e.session_id) collate "C",
    e.occurred_at,
    e.event_id
