-- Lets a key expire after a number of seconds, unless it expires before.
update api_keys
set expires_at = least(expires_at, now() + make_interval(secs => $2))
where id = $1
returning expires_at as "expires_at: jiff_sqlx::Timestamp"
