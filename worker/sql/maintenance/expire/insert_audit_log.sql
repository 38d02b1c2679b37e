-- Enters that somebody has what a project no longer keeps deleted, with the user of PostgreSQL who does so.
insert into audit_log (request_id, action, project_id, before, after)
values ($1, 'expire', $2, $3, $4::jsonb || jsonb_build_object('database_user', session_user))
