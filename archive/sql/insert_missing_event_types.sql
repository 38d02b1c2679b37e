-- Gives numbers to those event types that have none. If nobody needs a number, no row is locked.
with missing as (
    -- each name once, with its place
    select given.name, row_number() over (order by given.name collate "C") as place
    from (select distinct name from unnest($2::text[]) as given (name)) given
    where not exists (select from event_types known where known.project_id = $1 and known.name = given.name)
),
reserved as (
    -- the first number after the new ones
    update projects
    set next_event_type_id = next_event_type_id + (select count(*)::int from missing)
    where id = $1
      and exists (select from missing)
    returning next_event_type_id
)
insert into event_types (project_id, id, name)
select $1, reserved.next_event_type_id - missing.place::int, missing.name
from missing
cross join reserved
order by missing.name collate "C"
on conflict do nothing
