-- What a key grants, if it is neither revoked nor expired, and which rules the events of its project must meet.
select
    k.id,
    k.scopes,
    k.expires_at as "expires_at: jiff_sqlx::Timestamp",
    k.requests_per_second,
    k.events_per_second,
    k.project_id,
    p.name as project_name,
    p.time_zone,
    p.requests_per_second as project_requests_per_second,
    p.events_per_second as project_events_per_second,
    p.retention_days,
    p.kept_from as "kept_from: jiff_sqlx::Date",
    p.event_type_count,
    p.max_event_types,
    case
        when exists (select from event_schemas s where s.project_id = p.id) then p.schemas_revision
    end as schemas_revision
from api_keys k
join projects p on p.id = k.project_id
where k.key_hash = $1
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
