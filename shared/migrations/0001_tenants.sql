-- Who may send and ask: projects and their keys.

create table projects (
    id int generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 100),
    time_zone text not null default 'UTC',
    next_user_ord int not null default 0,
    created_at timestamptz not null default now()
);
comment on table projects is 'A tenant: every row, key and number belongs to exactly one.';
comment on column projects.time_zone is 'IANA name; days, weeks and months are cut in it. Never changed: the rollups are cut by it.';
comment on column projects.next_user_ord is 'The next number for the dictionary users. Numbers are never given twice; gaps are harmless.';

insert into projects (name) values ('default');

create table api_keys (
    id int generated always as identity primary key,
    project_id int not null references projects,
    name text not null,
    key_hash bytea not null unique check (octet_length(key_hash) = 32),
    scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['ingest', 'read', 'admin']),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
comment on table api_keys is 'What a request may do, looked up by the SHA-256 of its key. The key itself is never stored.';
