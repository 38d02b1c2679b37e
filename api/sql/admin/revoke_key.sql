-- Revokes a key.
update api_keys
set revoked_at = now()
where id = $1
returning revoked_at as "revoked_at: jiff_sqlx::Timestamp"
