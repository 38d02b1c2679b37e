-- What happened: the ledger of identities, the rows, and their dictionaries.

create table event_types (
    id int generated always as identity primary key,
    project_id int not null,
    name text collate "C" not null,
    unique (project_id, name)
);
comment on table event_types is 'Dictionary: short numbers for event types. Number 0 is never given: in rollups it stands for all types.';

create table users (
    project_id int not null,
    actor text collate "C" not null,
    ord int not null,
    primary key (project_id, actor)
);
comment on table users is 'Dictionary: dense numbers for those who are counted (user, else anonymous id, else session). Bitmaps hold these numbers; one is never given twice.';

create table event_ids (
    project_id int not null,
    event_id uuid not null,
    day date not null,
    primary key (project_id, event_id, day)
) partition by range (day);
comment on table event_ids is 'Ledger of identity: a row here is the right to one row in events. Partitioned by day so that the index being written stays small.';
comment on column event_ids.event_id is 'A UUID is itself; any other text is its 128-bit hash.';
comment on column event_ids.day is 'UTC day of the time the client sent; 0001-01-01 for an id sent without a time.';

create table event_ids_undated partition of event_ids for values from (minvalue) to ('1970-01-01');
create table event_ids_default partition of event_ids default;
comment on table event_ids_default is 'Days outside every partition made ahead. Empty while a worker runs.';

create table events (
    project_id int not null,
    event_type_id int not null,
    user_ord int not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    event_id uuid not null,
    client_event_id text,
    user_id text,
    anonymous_id text,
    session_id text,
    account_id text,
    properties json not null
) partition by range (occurred_at);
comment on table events is 'One row an event. No unique index: event_ids is the judge of identity. Rows of a batch are sorted by user, so that a timeline touches few pages.';
comment on column events.occurred_at is 'As the client sent it; the time of receipt when it sent none.';
comment on column events.client_event_id is 'The id as the client wrote it, where it is not a UUID.';
comment on column events.properties is 'json, not jsonb: the client''s text byte for byte, and cheaper to store.';

create table events_default partition of events default;
comment on table events_default is 'Times outside every partition made ahead. Empty while a worker runs.';

create index events_by_user on events (project_id, user_ord, occurred_at);
comment on index events_by_user is 'The timeline of one user.';
create index events_by_session on events (project_id, session_id, occurred_at) where session_id is not null;
comment on index events_by_session is 'The events of one session.';
create index events_by_account on events (project_id, account_id, occurred_at) where account_id is not null;
comment on index events_by_account is 'The summary of one account.';
create index events_by_time on events using brin (occurred_at);
comment on index events_by_time is 'Scans of a period, for filters and for the SQL that checks the rollups.';
