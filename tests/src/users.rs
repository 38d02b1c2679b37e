//! The rollup of users against the rows.

use sqlx::PgPool;

/// Users of whom the rollup and the rows do not say the same, each as both say it. One statement, so that
/// it sees one state of the database.
const DISAGREEMENTS: &str = "
    with known as (
        select project_id, ord, first_seen, last_seen, events
        from user_activity
        union all
        select project_id, delta.*
        from user_activity_delta
        cross join unnest(ords, first_seens, last_seens, user_activity_delta.events) as delta
    ),
    from_rollup as (
        select project_id, ord, min(first_seen), max(last_seen), sum(events)::bigint
        from known
        group by project_id, ord
    ),
    from_rows as (
        select project_id, user_ord, min(occurred_at), max(occurred_at), count(*)
        from events
        group by project_id, user_ord
    )
    select 'the rollup says ' || more::text from (table from_rollup except table from_rows) as more
    union all
    select 'the rows say ' || less::text from (table from_rows except table from_rollup) as less
    limit 10";

/// Up to ten users of whom the rollup says something else than the rows of events.
///
/// # Panics
/// If PostgreSQL does not answer.
pub async fn user_disagreements(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(DISAGREEMENTS).fetch_all(pool).await.expect("users")
}
