-- The rows of a batch in PostgreSQL's binary format. copy.rs writes the columns in this order.
copy events (
    project_id, event_type_id, user_ord, occurred_at, received_at, event_id,
    client_event_id, user_id, anonymous_id, session_id, account_id, properties
) from stdin (format binary)
