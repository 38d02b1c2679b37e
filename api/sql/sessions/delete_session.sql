-- Ends a session.
delete from web_sessions
where token_hash = $1
