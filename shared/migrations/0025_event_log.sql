-- A view for people and their tools: events with names instead of numbers.
--
-- A later migration that changes the type of one of these columns must drop the view and make it again. The role
-- rollcall_reader may read the view and nothing else (shared/src/database/roles.rs).
create view event_log as
select
    project.name as project,
    coalesce(event.client_event_id, event.event_id::text) as event_id,
    event_type.name as event_type,
    event.user_id,
    event.anonymous_id,
    event.session_id,
    event.account_id,
    event.occurred_at,
    event.received_at,
    event.properties
from events event
join projects project on project.id = event.project_id
join event_types event_type on event_type.project_id = event.project_id and event_type.id = event.event_type_id;

comment on view event_log is 'Every stored event, one row an event, of all projects. Name a project and a period of occurred_at in every query: only then it reads no more than it must.';
comment on column event_log.project is 'The name of the project.';
comment on column event_log.event_id is 'As the client sent it; an id that is a UUID in lower case.';
comment on column event_log.event_type is 'What happened.';
comment on column event_log.user_id is 'As the client sent it, like the other ids.';
comment on column event_log.occurred_at is 'When it happened, by the client; when it was received if the client did not say.';
comment on column event_log.received_at is 'When the API received it.';
comment on column event_log.properties is 'A JSON object, as the client sent it.';
