-- What an account did in a period: how often each event type occurred, and its ten most active users.
with of_account as (
    -- the events of the account, found through the B-tree by account
    select event_type_id, coalesce(user_id, anonymous_id, session_id) collate "C" as actor
    from events
    where project_id = $1
      and account_id = $2
      and occurred_at >= $3
      and occurred_at < $4
),
counted as (
    -- by type and by user, in one pass
    select event_type_id, actor, count(*) as n
    from of_account
    group by grouping sets ((event_type_id), (actor))
),
top_users as (
    select actor, n
    from counted
    where actor is not null
    order by n desc, actor
    limit 10
)
select true as "is_type!", t.name as "name!", c.n as "events!"
from counted c
join event_types t on t.project_id = $1 and t.id = c.event_type_id
union all
select false, actor, n
from top_users
order by 1 desc, 3 desc, 2
