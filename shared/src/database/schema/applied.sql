-- The migrations that were applied.
select version
from _sqlx_migrations
where success
