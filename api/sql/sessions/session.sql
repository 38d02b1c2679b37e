-- The key of a session that has not expired.
select
    key_hash,
    expires_at as "expires_at: jiff_sqlx::Timestamp"
from web_sessions
where token_hash = $1
  and expires_at > now()
