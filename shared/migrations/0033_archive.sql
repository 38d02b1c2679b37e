-- Which days are archived as Parquet files, and which of them have no rows here any more.

create table archived_days (
    project_id int not null references projects,
    day date not null,
    generation int not null check (generation > 0),
    rows bigint not null,
    bytes bigint not null,
    rows_here bigint not null,
    ids_here numeric not null,
    archived_at timestamptz not null default now(),
    dropped_generation int check (dropped_generation between 1 and generation),
    dropped_at timestamptz,
    restored_at timestamptz,
    primary key (project_id, day)
);
comment on table archived_days is 'One row for each UTC day of a project that is in the archive. The primary key serves answers that must say which days of a period have no rows here.';
comment on column archived_days.day is 'A UTC day, as in the archive; the days of rollups are those of the project.';
comment on column archived_days.generation is 'How often the day was archived: later events make the next generation.';
comment on column archived_days.rows is 'Its rows in the archive.';
comment on column archived_days.bytes is 'The bytes of its files.';
comment on column archived_days.rows_here is 'How many rows events had of the day when they were last compared with the archive.';
comment on column archived_days.ids_here is 'The sum of a hash of their ids. While both stay the same, nothing is to be archived.';
comment on column archived_days.archived_at is 'When the generation was written.';
comment on column archived_days.dropped_generation is 'The rows of all generations up to this one were dropped from events; null if none were, or if they were restored. Rows of later generations are here.';
comment on column archived_days.dropped_at is 'When they were dropped.';
comment on column archived_days.restored_at is 'When rows were restored last. It is written in the transaction that inserts them, so they are inserted once.';
