-- What a key grants, if it is neither revoked nor expired.
select
    k.project_id,
    p.time_zone,
    k.scopes
from api_keys k
join projects p on p.id = k.project_id
where k.key_hash = $1
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
