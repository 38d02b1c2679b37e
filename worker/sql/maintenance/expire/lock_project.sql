-- From when on a project's events and counts are kept. This waits for batches that are about to commit, and batches with
-- events of earlier days wait for it (store/lock_horizons.sql).
select
    kept_from as "kept_from: jiff_sqlx::Date",
    counts_kept_from as "counts_kept_from: jiff_sqlx::Date"
from projects
where id = $1
for update
