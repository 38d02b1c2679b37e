-- The projects, or the one with the name $1, with the first day in UTC whose events each keeps.
select
    id,
    name,
    time_zone,
    kept_from as "kept_from: jiff_sqlx::Date"
from projects
where $1::text is null
   or name = $1
order by id
