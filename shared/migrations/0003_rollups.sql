-- Answers kept ready: who was active on a day, and how often what happened.
--
-- Each has a base and a delta table. A batch only appends deltas, in the transaction that stores
-- its events, so workers never wait for each other; a compactor folds them into the base. Readers
-- take base plus deltas in one statement, so the numbers are right at every moment.

create table active_users (
    project_id int not null,
    event_type_id int not null,
    day date not null,
    users_count int not null,
    bitmap bytea not null,
    primary key (project_id, event_type_id, day)
);
comment on table active_users is 'Who was active on a day, as a roaring bitmap of users.ord. Serves DAU and retention.';
comment on column active_users.event_type_id is 'An event type, or 0 for all types together.';
comment on column active_users.day is 'A day in the project''s time zone.';
comment on column active_users.users_count is 'The cardinality of the bitmap.';
-- Roaring is compact already: compressing it again costs time and gains nothing.
alter table active_users alter column bitmap set storage external;

create table active_users_delta (
    project_id int not null,
    event_type_id int not null,
    day date not null,
    bitmap bytea not null
);
comment on table active_users_delta is 'Bitmaps of single batches, not yet folded into active_users.';
alter table active_users_delta alter column bitmap set storage external;
create index active_users_delta_by_day on active_users_delta (project_id, event_type_id, day);
comment on index active_users_delta_by_day is 'Readers take the deltas of a type and period together with the base.';

create table event_counts (
    project_id int not null,
    day date not null,
    event_type_id int not null,
    n bigint not null,
    primary key (project_id, day, event_type_id)
);
comment on table event_counts is 'How many events of a type a day had. Serves the top events.';

create table event_counts_delta (
    project_id int not null,
    day date not null,
    event_type_id int not null,
    n bigint not null
);
comment on table event_counts_delta is 'Counts of single batches, not yet folded into event_counts.';
create index event_counts_delta_by_day on event_counts_delta (project_id, day);
comment on index event_counts_delta_by_day is 'Readers take the deltas of a period together with the base.';
