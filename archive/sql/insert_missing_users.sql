-- Gives numbers to those actors that have none. If nobody needs a number, no row is locked.
with missing as (
    -- each actor once, with its place
    select given.actor, row_number() over (order by given.actor collate "C") as place
    from (select distinct actor from unnest($2::text[]) as given (actor)) given
    where not exists (select from users known where known.project_id = $1 and known.actor = given.actor)
),
reserved as (
    -- the first number after the new ones
    update projects
    set next_user_ord = next_user_ord + (select count(*)::int from missing)
    where id = $1
      and exists (select from missing)
    returning next_user_ord
)
insert into users (project_id, actor, ord)
select $1, missing.actor, reserved.next_user_ord - missing.place::int
from missing
cross join reserved
order by missing.actor collate "C"
on conflict do nothing
