-- Sessions of the dashboard.
--
-- Programs of the version before run on: they neither read nor write this table.

create table web_sessions (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    key_hash bytea not null check (octet_length(key_hash) = 32),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
comment on table web_sessions is 'Who is signed in to the dashboard, looked up by the SHA-256 of the token in the cookie. The token itself is never stored. A session allows what its key allows, so it ends with the key.';
comment on column web_sessions.key_hash is 'The SHA-256 of the API key, as in api_keys; also that of API_KEY, which is in no table.';

create index web_sessions_by_key on web_sessions (key_hash, created_at);
comment on index web_sessions_by_key is 'The sessions of a key, of which there is a maximum, oldest first.';

create index web_sessions_by_end on web_sessions (expires_at);
comment on index web_sessions_by_end is 'The sessions that have expired and can be removed.';
