-- Rows of the archive, in its order, with the numbers of their event types and actors.
insert into events (
    project_id, event_type_id, user_ord, occurred_at, received_at, event_id,
    client_event_id, user_id, anonymous_id, session_id, account_id, properties
)
select
    $1,
    event_types.id,
    users.ord,
    -- microseconds since 1970; a double represents them exactly until the year 2255
    timestamptz 'epoch' + restored.occurred_us * interval '1 microsecond',
    timestamptz 'epoch' + restored.received_us * interval '1 microsecond',
    restored.event_id,
    restored.client_event_id,
    restored.user_id,
    restored.anonymous_id,
    restored.session_id,
    restored.account_id,
    restored.properties::json
from unnest(
    $2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]
) with ordinality as restored (
    event_type, occurred_us, received_us, event_id, client_event_id,
    user_id, anonymous_id, session_id, account_id, properties, place
)
join event_types on event_types.project_id = $1 and event_types.name = restored.event_type
join users
    on users.project_id = $1
    and users.actor = coalesce(restored.user_id, restored.anonymous_id, restored.session_id)
order by restored.place
