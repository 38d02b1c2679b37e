-- The first accounts, by id, among the events of a period. Each step finds the next account with one look-up
-- in the B-tree by account of each partition.
with recursive found as (
    (
        select account_id, 1 as place
        from events
        where project_id = $1
          and account_id is not null
          and occurred_at >= $2
          and occurred_at < $3
        order by account_id
        limit 1
    )
    union all
    select
        (
            select e.account_id
            from events e
            where e.project_id = $1
              and e.account_id > found.account_id
              and e.occurred_at >= $2
              and e.occurred_at < $3
            order by e.account_id
            limit 1
        ),
        place + 1
    from found
    where found.account_id is not null
      and place < $4
)
select account_id as "account_id!"
from found
where account_id is not null
