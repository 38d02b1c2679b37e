-- The numbers of those actors that have one.
select actor, ord
from users
where project_id = $1
  and actor = any($2)
