-- What a key grants, if it is neither revoked nor expired.
select
    k.id as key_id,
    k.project_id,
    p.time_zone,
    k.scopes,
    k.requests_per_second,
    k.events_per_second,
    p.requests_per_second as project_requests_per_second,
    p.events_per_second as project_events_per_second
from api_keys k
join projects p on p.id = k.project_id
where k.key_hash = $1
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
