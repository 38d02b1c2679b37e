-- Enters a change.
insert into audit_log (by_key_id, request_id, action, project_id, key_id, before, after)
values ($1, $2, $3, $4, $5, $6, $7)
