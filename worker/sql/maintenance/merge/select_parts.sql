-- The partitions of a table that begin and end with a day, oldest first. With 0 instead of the oid, pg_get_expr does not wait
-- for a locked partition.
select
    partition.relname::text as "name!",
    bound.days[1]::date as "from!: jiff_sqlx::Date",
    bound.days[2]::date as "to!: jiff_sqlx::Date"
from pg_inherits child
join pg_class partition on partition.oid = child.inhrelid
cross join lateral (
    select regexp_match(
        pg_get_expr(partition.relpartbound, 0),
        '^FOR VALUES FROM \(''(\d{4}-\d\d-\d\d)(?: 00:00:00\+00)?''\) TO \(''(\d{4}-\d\d-\d\d)(?: 00:00:00\+00)?''\)$'
    ) as days
) as bound
where child.inhparent = to_regclass($1)
  and bound.days is not null
order by 2
