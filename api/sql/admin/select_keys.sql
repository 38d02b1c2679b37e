-- The keys of a project, oldest first, after the last one of the page before.
select
    k.id,
    k.project_id,
    p.name as project,
    k.name,
    k.scopes,
    k.expires_at as "expires_at: jiff_sqlx::Timestamp",
    k.requests_per_second,
    k.events_per_second,
    k.created_at as "created_at: jiff_sqlx::Timestamp",
    k.last_used_at as "last_used_at: jiff_sqlx::Timestamp",
    k.revoked_at as "revoked_at: jiff_sqlx::Timestamp",
    k.replaces,
    k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) as "is_valid!"
from api_keys k
join projects p on p.id = k.project_id
where k.project_id = $1
  and k.id > $2
order by k.id
limit $3
