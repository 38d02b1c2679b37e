-- Rows of recent days are found by small filters, those of older days by B-trees.
--
-- Entering each row into a B-tree by user and one by session took more than half of the time of
-- writing it. A day takes nearly all of its events while it lasts or soon after, so its B-trees are
-- built in one go when it is over (worker/src/index.rs). Until then the filters tell which pages
-- may hold a user or a session.

drop index events_by_user;
drop index events_by_session;
drop index events_by_time;

-- Ids are compared byte by byte, whatever the language of the database.
alter table events
    alter column session_id type text collate "C",
    alter column account_id type text collate "C";

-- A range of 128 KiB holds about 500 rows, or 1,000 small ones.
create index events_lookup on events using brin (
    occurred_at,
    project_id int4_bloom_ops (n_distinct_per_range = 100),
    user_ord int4_bloom_ops (n_distinct_per_range = 1000),
    session_id text_bloom_ops (n_distinct_per_range = 1000)
) with (pages_per_range = 16);
comment on index events_lookup is 'Scans of a period in every partition; timelines and sessions in those that have no B-trees yet. About 5 bytes a row.';

create index events_default_by_user on events_default (project_id, user_ord, occurred_at);
create index events_default_by_session on events_default (project_id, session_id, occurred_at) where session_id is not null;
