-- Opens a session, and removes those that have expired and the oldest ones of the key beyond its maximum. Rows that
-- somebody else is removing are left to them, so that this neither waits nor deadlocks.
with
expired as (
    select token_hash
    from web_sessions
    where expires_at <= now()
    order by token_hash
    limit 1000
    for update skip locked
),
-- One place less than the maximum, because a session is added.
surplus as (
    select token_hash
    from web_sessions
    where token_hash in (
        select token_hash
        from web_sessions
        where key_hash = $2
          and expires_at > now()
        order by created_at desc, token_hash
        offset greatest($4::bigint - 1, 0)
    )
    order by token_hash
    for update skip locked
),
removed as (
    delete from web_sessions
    where token_hash in (
        select token_hash from expired
        union all
        select token_hash from surplus
    )
)
insert into web_sessions (token_hash, key_hash, expires_at)
values ($1, $2, $3)
