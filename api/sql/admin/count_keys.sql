-- How many keys of a project are neither revoked nor expired.
select count(*) as "count!"
from api_keys
where project_id = $1
  and revoked_at is null
  and (expires_at is null or expires_at > now())
