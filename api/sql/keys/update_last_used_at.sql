-- Enters when keys were last used. Rows that somebody else has locked are left as they are, so that this neither
-- waits nor deadlocks.
with
-- The keys and their times, in the order of the arguments.
used as (
    select used.id, used.at
    from unnest($1::int[], $2::timestamptz[]) as used (id, at)
),
-- Those that nobody is changing.
free as (
    select k.id
    from api_keys k
    where k.id = any($1)
    order by k.id
    for no key update skip locked
)
update api_keys k
set last_used_at = used.at
from used
join free on free.id = used.id
where k.id = used.id
  and (k.last_used_at is null or k.last_used_at < used.at)
