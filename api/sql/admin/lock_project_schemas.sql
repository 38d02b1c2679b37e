-- Waits until nobody else changes schemas of this project, and holds the others off until the end of the transaction.
select id
from projects
where id = $1
for no key update
