-- How far the archive is: the latest day of any project in it, and what it has of all projects together.
select
    max(day) as "archived_until: jiff_sqlx::Date",
    count(*) as "days!",
    coalesce(sum(rows), 0)::bigint as "rows!",
    coalesce(sum(bytes), 0)::bigint as "bytes!",
    count(*) filter (where dropped_generation is not null) as "dropped_days!"
from archived_days
