//! The rollup of hours against the rows.

use sqlx::PgPool;

/// Hours of which the rollup and the rows do not say the same, each as both say it. One statement, so that it
/// sees one state of the database. Number 0 stands for all types together.
const DISAGREEMENTS: &str = "
    with deltas as (
        select project_id, coalesce(event_type_id, 0) as event_type_id, day, hour, utc_offset, sum(n)::bigint as n
        from event_counts_delta
        where hour is not null
        group by grouping sets ((project_id, event_type_id, day, hour, utc_offset), (project_id, day, hour, utc_offset))
    ),
    from_rollup as (
        select project_id, event_type_id, day, hour, utc_offset, sum(n)::bigint
        from (table event_hours union all table deltas) as known
        group by 1, 2, 3, 4, 5
    ),
    local as (
        select e.project_id, e.event_type_id, occurred_at at time zone time_zone as at, occurred_at at time zone 'UTC' as utc
        from events e
        join projects p on p.id = e.project_id
    ),
    from_rows as (
        select
            project_id,
            coalesce(event_type_id, 0),
            at::date,
            extract(hour from at)::smallint,
            extract(epoch from at - utc)::int,
            count(*)
        from local
        group by grouping sets (
            (project_id, event_type_id, at::date, extract(hour from at)::smallint, extract(epoch from at - utc)::int),
            (project_id, at::date, extract(hour from at)::smallint, extract(epoch from at - utc)::int)
        )
    )
    select 'the rollup says ' || more::text from (table from_rollup except table from_rows) as more
    union all
    select 'the rows say ' || less::text from (table from_rows except table from_rollup) as less
    limit 10";

/// Up to ten hours of which the rollup says something else than the rows of events.
///
/// # Panics
/// If PostgreSQL does not answer.
pub async fn hour_disagreements(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(DISAGREEMENTS).fetch_all(pool).await.expect("hours")
}
