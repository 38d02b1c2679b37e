-- Retention: from when on a project's events are kept, and the counts of its days.
--
-- Workers of the version before do not know these columns, but they need no guard of their own: migration 0013, which
-- no version without this one has, makes them wait until they are replaced.

alter table projects
    add column kept_from date,
    add column counts_kept_from date;
comment on column projects.retention_days is 'How many days events are kept, besides the current one, in UTC; null for ever. Events of earlier days are refused, and deleted soon.';
comment on column projects.kept_from is 'Events of earlier days, in UTC, were deleted or are being deleted, and their identities with them; null if none ever were. It only grows, also when retention_days does not: an event whose identity is gone must never be stored again. Workers read it under a lock before they commit, and whoever moves it waits for them.';
comment on column projects.counts_kept_from is 'The same for the counts of days, in the time zone of the project.';

create table earlier_users (
    project_id int primary key references projects,
    bitmap bytea not null
);
comment on table earlier_users is 'Who was active on days whose counts were deleted, as a roaring bitmap of users.ord. Without it, people who come back would look new.';
-- Roaring is compact already: compressing it again costs time and gains nothing.
alter table earlier_users alter column bitmap set storage external;
