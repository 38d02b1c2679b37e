-- Makes a key, unless it replaces one that another key replaces already.
with
made as (
    insert into api_keys (
        project_id, name, key_hash, scopes, expires_at, requests_per_second, events_per_second, replaces
    )
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (replaces) do nothing
    returning *
)
select
    made.id as "id!",
    made.project_id as "project_id!",
    p.name as "project!",
    made.name as "name!",
    made.scopes as "scopes!",
    made.expires_at as "expires_at?: jiff_sqlx::Timestamp",
    made.requests_per_second as "requests_per_second?",
    made.events_per_second as "events_per_second?",
    made.created_at as "created_at!: jiff_sqlx::Timestamp",
    made.last_used_at as "last_used_at?: jiff_sqlx::Timestamp",
    made.revoked_at as "revoked_at?: jiff_sqlx::Timestamp",
    made.replaces as "replaces?",
    true as "is_valid!"
from made
join projects p on p.id = made.project_id
