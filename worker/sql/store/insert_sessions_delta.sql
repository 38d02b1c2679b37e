-- The sessions of a batch, or up to 1,000 of them, as one row of arrays.
insert into sessions_delta (
    project_id, first_session_id, last_session_id, sessions, session_ids, user_ids, user_ranks,
    user_ats, user_event_ids, started_ats, last_event_ats, events
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
