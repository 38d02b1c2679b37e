-- The sessions of a batch in PostgreSQL's binary format. copy.rs writes the columns in this order.
copy sessions_delta (
    project_id, first_session_id, last_session_id, sessions, session_ids, user_ids, user_ranks,
    user_ats, user_event_ids, started_ats, last_event_ats, events
) from stdin (format binary)
