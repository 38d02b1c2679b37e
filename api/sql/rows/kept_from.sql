-- From when on a project keeps its events, by days in UTC, and the counts of its days; null if it keeps all of them.
-- Whoever deletes writes this first, so after the rows or counts were read it tells whether some of them are missing.
select
    kept_from as "events: jiff_sqlx::Date",
    counts_kept_from as "counts: jiff_sqlx::Date"
from projects
where id = $1
