-- Since when deltas wait to be folded, so that a compaction which falls behind shows.

alter table active_users_delta add column added_at timestamptz not null default now();
comment on column active_users_delta.added_at is 'When its batch was stored; how far behind the compaction is.';

alter table event_counts_delta add column added_at timestamptz not null default now();
comment on column event_counts_delta.added_at is 'When its batch was stored; how far behind the compaction is.';
