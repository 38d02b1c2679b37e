-- What questions about single events and sessions need: filters by type and id, and a rollup of sessions.
--
-- While this runs, nobody reads or writes events: their filters are built anew, and the sessions of the
-- events that are there are added up. Both take time in proportion to the rows.
set local statement_timeout = 0;
set local lock_timeout = 0;

-- This lock comes first, as for everybody who stores events.
drop index events_lookup;

-- A range of 128 KiB holds about 500 rows, or 1,000 small ones. Of event types it holds a few.
create index events_lookup on events using brin (
    occurred_at,
    project_id int4_bloom_ops (n_distinct_per_range = 100),
    event_type_id int4_bloom_ops (n_distinct_per_range = 100),
    user_ord int4_bloom_ops (n_distinct_per_range = 1000),
    session_id text_bloom_ops (n_distinct_per_range = 1000),
    event_id uuid_bloom_ops (n_distinct_per_range = 1000)
) with (pages_per_range = 16);
comment on index events_lookup is 'Scans of a period, and one event by its id, in every partition; the events of a type, a user or a session in those that have no B-trees yet.';

create index events_default_by_type on events_default (project_id, event_type_id, occurred_at);
comment on index events_default_by_type is 'The latest events of a type; of all types by merging. Workers build the same in partitions of past days.';

create table sessions (
    project_id int not null,
    session_id text collate "C" not null,
    user_id text collate "C",
    user_rank smallint not null,
    user_at timestamptz,
    user_event_id uuid,
    started_at timestamptz not null,
    last_event_at timestamptz not null,
    events bigint not null,
    primary key (project_id, session_id)
);
comment on table sessions is 'What is known of each session: one row a session. Together with sessions_delta it says the same as the rows of events. The primary key serves one session by its id.';
comment on column sessions.session_id is 'As the client sent it.';
comment on column sessions.user_id is 'The user id of the latest event that has one; without any, the anonymous id of the latest event that has one; else null.';
comment on column sessions.user_rank is 'What user_id is: 2 a user id, 1 an anonymous id, 0 nothing. Of two states, the one with the greater (user_rank, user_at, user_event_id) says who the user is, in whatever order they arrive.';
comment on column sessions.user_at is 'When the event occurred that user_id is from; null if there is none.';
comment on column sessions.user_event_id is 'The id of that event, which decides between events at the same time.';
comment on column sessions.started_at is 'When its earliest event occurred.';
comment on column sessions.last_event_at is 'When its latest event occurred.';
comment on column sessions.events is 'How many events it has.';

create index sessions_by_last_event on sessions (project_id, last_event_at, session_id);
comment on index sessions_by_last_event is 'The sessions of a project, latest activity first, page by page.';
create index sessions_by_user on sessions (project_id, user_id, last_event_at, session_id);
comment on index sessions_by_user is 'The same for the sessions of one user.';

create table sessions_delta (
    project_id int not null,
    first_session_id text collate "C" not null,
    last_session_id text collate "C" not null,
    sessions int not null,
    session_ids text[] collate "C" not null,
    user_ids text[] collate "C" not null,
    user_ranks smallint[] not null,
    user_ats timestamptz[] not null,
    user_event_ids uuid[] not null,
    started_ats timestamptz[] not null,
    last_event_ats timestamptz[] not null,
    events bigint[] not null,
    added_at timestamptz not null default now()
);
comment on table sessions_delta is 'Sessions of single batches, not yet folded into sessions. A row holds up to 1,000 sessions of a project in arrays of one length: a row for each would cost three times as much to write, and more to remove. To read, unnest the eight arrays together.';
comment on column sessions_delta.first_session_id is 'The smallest of session_ids: a reader of one session skips rows whose range does not contain it.';
comment on column sessions_delta.last_session_id is 'The greatest of session_ids.';
comment on column sessions_delta.sessions is 'How many sessions the row holds.';
comment on column sessions_delta.session_ids is 'Each once. The other arrays hold, at the same places, what the columns of sessions hold, from the events of one batch.';
comment on column sessions_delta.added_at is 'When its batch was stored; how far behind the compaction is.';
-- To compress what is deleted within seconds takes longer than to write it.
alter table sessions_delta
    alter column session_ids set storage external,
    alter column user_ids set storage external,
    alter column user_ranks set storage external,
    alter column user_ats set storage external,
    alter column user_event_ids set storage external,
    alter column started_ats set storage external,
    alter column last_event_ats set storage external,
    alter column events set storage external;
create index sessions_delta_by_session on sessions_delta (project_id, first_session_id, last_session_id);
comment on index sessions_delta_by_session is 'Readers take the deltas of a project, or of one session, together with the base.';
create index sessions_delta_by_age on sessions_delta (project_id, added_at);
comment on index sessions_delta_by_age is 'The oldest delta of a project, with which folding begins.';

-- Workers of the version before write no sessions. What they stored after this would be missing for ever,
-- so they wait until they are replaced: their insert, which does not name this column, evaluates its
-- default. They take the error for one that passes, and lose and refuse nothing.
create function refuse_older_worker() returns boolean
language plpgsql
as $$
begin
    raise exception 'this worker is older than the schema and must be replaced' using errcode = 'object_not_in_prerequisite_state';
end
$$;
comment on function refuse_older_worker() is 'The default of a column that every worker must write.';
alter table event_counts_delta add column has_sessions boolean;
alter table event_counts_delta alter column has_sessions set default refuse_older_worker();
comment on column event_counts_delta.has_sessions is 'True: the batch has written its sessions too. Null in deltas from before there were sessions.';

insert into sessions (
    project_id, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
)
with ranked as (
    -- each event with what it says about its session's user
    select
        project_id,
        session_id,
        coalesce(user_id, anonymous_id) as user_id,
        case when user_id is not null then 2 when anonymous_id is not null then 1 else 0 end as user_rank,
        occurred_at,
        event_id
    from events
    where session_id is not null
),
totals as (
    -- what the order of events does not matter for
    select project_id, session_id, min(occurred_at) as started_at, max(occurred_at) as last_event_at, count(*) as events
    from ranked
    group by project_id, session_id
),
named as (
    -- the event that says who the user is
    select distinct on (project_id, session_id) project_id, session_id, user_id, user_rank, occurred_at, event_id
    from ranked
    order by project_id, session_id, user_rank desc, occurred_at desc, event_id desc
)
select
    project_id,
    session_id,
    user_id,
    user_rank,
    case when user_rank > 0 then occurred_at end,
    case when user_rank > 0 then event_id end,
    started_at,
    last_event_at,
    totals.events
from totals
join named using (project_id, session_id);

create table cursor_keys (
    id smallint primary key default 1 check (id = 1),
    key bytea not null check (octet_length(key) = 32)
);
comment on table cursor_keys is 'One row: the secret that signs the cursors of lists, so that clients can neither read a meaning into them nor make their own. All replicas of the API share it.';
comment on column cursor_keys.key is 'Random. Replacing it invalidates the cursors that clients hold, and nothing else.';
-- Two random UUIDs have 244 random bits, and PostgreSQL makes them from the system's generator.
insert into cursor_keys (key)
values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
