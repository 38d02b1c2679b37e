-- The projects that do not keep everything, or did not once, with the first day in UTC whose events they keep, as of
-- the day $1. It never moves back, because earlier identities may be gone.
select
    id,
    name,
    time_zone,
    kept_from as "kept_from: jiff_sqlx::Date",
    greatest(kept_from, $1::date - retention_days) as "horizon!: jiff_sqlx::Date"
from projects
where retention_days is not null
   or kept_from is not null
order by id
