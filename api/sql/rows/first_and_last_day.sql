-- The first and the last day on which a project has events; null if it has none. Each part is one
-- look-up in an index. Counts may be kept for longer than events. A day of a time zone may begin on the day before in
-- UTC.
select
    greatest(
        least(
            (select min(day) from event_counts where project_id = $1),
            (select min(day) from event_counts_delta where project_id = $1)
        ),
        (select kept_from - 1 from projects where id = $1)
    ) as "first: jiff_sqlx::Date",
    greatest(
        (select max(day) from event_counts where project_id = $1),
        (select max(day) from event_counts_delta where project_id = $1)
    ) as "last: jiff_sqlx::Date"
