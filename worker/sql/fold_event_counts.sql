-- Folds deltas into the base, sorted by key, in one statement.
with taken as (
    -- what is folded
    delete from event_counts_delta
    where (project_id, day) in (
        select distinct project_id, day
        from event_counts_delta
        order by project_id, day
        limit $1
    )
    returning project_id, day, event_type_id, n
),
sums as (
    -- one row a key, so that the upsert meets each once
    select project_id, day, event_type_id, sum(n)::bigint as n
    from taken
    group by project_id, day, event_type_id
)
insert into event_counts (project_id, day, event_type_id, n)
select project_id, day, event_type_id, n
from sums
order by project_id, day, event_type_id
on conflict (project_id, day, event_type_id) do update
set n = event_counts.n + excluded.n
