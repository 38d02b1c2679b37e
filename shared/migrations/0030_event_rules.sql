-- Rules for events: schemas of event types, and how many event types a project has.
--
-- Programs of the version before run on. Their workers make event types beyond the limit and without counting them; the
-- next type that a worker of this version makes corrects the count. Their APIs accept events without looking at schemas.

alter table projects
    add column event_type_count int not null default 0,
    add column schemas_revision bigint not null default 0;
comment on column projects.event_type_count is 'How many event types there were when a worker last made one or refused to. From it, the API knows without counting that a project has as many as it may.';
comment on column projects.schemas_revision is 'Grows with every change of a schema of the project. The API reads it with a key, and reads the schemas again when it has changed.';
comment on column projects.max_event_types is 'How many event types there may be; null for the default of the settings. Workers make no more, and their events become dead letters.';

update projects
set event_type_count = (select count(*) from event_types where project_id = projects.id);

create table event_schemas (
    id bigint generated always as identity,
    project_id int not null references projects,
    event_type text not null,
    mode text not null check (mode in ('warn', 'reject')),
    schema json not null,
    memory_bytes int not null,
    changed_at timestamptz not null default now(),
    violations bigint not null default 0,
    last_violation_at timestamptz,
    samples jsonb not null default '[]',
    primary key (project_id, event_type),
    constraint event_schemas_id_key unique (id)
);
comment on table event_schemas is 'JSON Schemas that the properties of events must match, one for an event type. The API checks events before it accepts them; what is stored already is not checked.';
comment on column event_schemas.id is 'A new number with every change, so that violations of an old schema are not counted for the new one, and so that the API knows which schemas it has compiled.';
comment on column event_schemas.event_type is 'As in events. There need not be an event of this type.';
comment on column event_schemas.mode is 'warn: an event that does not match is accepted and counted; reject: it is refused and counted.';
comment on column event_schemas.schema is 'As the client sent it, without white space. It was compiled before it was stored.';
comment on column event_schemas.memory_bytes is 'How much memory the compiled schema takes in an API at most, about.';
comment on column event_schemas.changed_at is 'When schema or mode were changed. Violations are counted since then.';
comment on column event_schemas.violations is 'How many events did not match. Every API adds what it has counted once a second; a crash may lose the latest second.';
comment on column event_schemas.samples is 'Some of the latest violations, newest first: when, which event, where and why, without values of properties.';
comment on constraint event_schemas_pkey on event_schemas is 'The schemas of a project, and the schema of one event type.';
comment on constraint event_schemas_id_key on event_schemas is 'The schema whose violations are counted.';

comment on table audit_log is 'What was changed over HTTP in projects, keys and schemas, written in the same transaction as the change. Nothing in it is a secret.';
comment on column audit_log.project_id is 'The project that was changed, or whose key or schema was.';
comment on column audit_log.key_id is 'The key that was changed; null if it was the project or a schema.';
