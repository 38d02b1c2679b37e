-- Gives numbers to new actors. The arrays are sorted by actor. If another worker has given an actor a number,
-- that number stays.
insert into users (project_id, actor, ord)
select $1, actor, ord
from unnest($2::text[], $3::int[]) as fresh (actor, ord)
on conflict do nothing
