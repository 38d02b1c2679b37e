-- How many projects there are.
select count(*) as "count!"
from projects
