-- The rows of a small batch. A large batch is written by COPY.
insert into events (
    project_id, event_type_id, user_ord, occurred_at, received_at, event_id,
    client_event_id, user_id, anonymous_id, session_id, account_id, properties
)
select
    project_id,
    event_type_id,
    user_ord,
    -- microseconds since 1970; a double represents them exactly until the year 2255
    timestamptz 'epoch' + occurred_us * interval '1 microsecond',
    timestamptz 'epoch' + received_us * interval '1 microsecond',
    event_id,
    client_event_id,
    user_id,
    anonymous_id,
    session_id,
    account_id,
    properties::json
from unnest(
    $1::int[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::uuid[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[]
) as fresh (
    project_id, event_type_id, user_ord, occurred_us, received_us, event_id,
    client_event_id, user_id, anonymous_id, session_id, account_id, properties
)
