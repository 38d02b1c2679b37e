-- Administration over HTTP: limits of projects and keys, the last use of keys, and a log of what was changed.
--
-- Programs of the version before run on: they read none of this. Their workers may read a project's time zone
-- before the project has an event type, so no zone should be changed until they are replaced.

alter table projects
    add column retention_days int check (retention_days between 1 and 36500),
    add column requests_per_second int check (requests_per_second > 0),
    add column events_per_second int check (events_per_second > 0),
    add column max_event_types int check (max_event_types > 0);
comment on column projects.time_zone is 'IANA name; days, weeks and months are cut in it, and so are the rollups. It is final once event_types has a row of the project: workers read it only after that, and whoever changes it holds a lock on the row that they need to take numbers for event types.';
comment on column projects.retention_days is 'How many days events are kept; null for ever.';
comment on column projects.requests_per_second is 'How many requests the API takes in a second; the setting API_REPLICAS divides it among the replicas. Null for the default of the settings.';
comment on column projects.events_per_second is 'How many events the API takes in a second, in the same way. Null for the default of the settings.';
comment on column projects.max_event_types is 'How many event types there may be; null for the default of the settings.';

alter table api_keys
    add column requests_per_second int check (requests_per_second > 0),
    add column events_per_second int check (events_per_second > 0),
    add column last_used_at timestamptz,
    add column replaces int unique references api_keys;
comment on column api_keys.requests_per_second is 'As for projects, for the requests with this key.';
comment on column api_keys.events_per_second is 'As for projects, for the events sent with this key.';
comment on column api_keys.last_used_at is 'When a request last had it. Every replica writes this at most once a minute, and a crash may lose the latest minute.';
comment on column api_keys.replaces is 'The key that was rotated; a key is rotated once.';

create index api_keys_by_project on api_keys (project_id, id);
comment on index api_keys_by_project is 'The keys of a project, page by page, and how many it has.';

create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    by_key_id int references api_keys,
    request_id text not null,
    action text not null,
    project_id int not null references projects,
    key_id int references api_keys,
    before jsonb,
    after jsonb
);
comment on table audit_log is 'What was changed over HTTP in projects and keys, written in the same transaction as the change. Nothing in it is a secret.';
comment on column audit_log.by_key_id is 'The key of the request; null for API_KEY, the key of the installation.';
comment on column audit_log.request_id is 'As in X-Request-Id and in the log lines.';
comment on column audit_log.project_id is 'The project that was changed, or whose key was.';
comment on column audit_log.key_id is 'The key that was changed; null if it was the project.';
comment on column audit_log.before is 'What was changed, as lists showed it before; null if it is new.';
comment on column audit_log.after is 'The same afterwards.';

create index audit_log_by_project on audit_log (project_id, id);
comment on index audit_log_by_project is 'The changes of a project, latest first.';
