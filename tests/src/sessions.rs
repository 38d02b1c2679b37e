//! The rollup of sessions against the rows.

use sqlx::PgPool;

/// Sessions of which the rollup and the rows do not say the same, each as both say it. One statement, so
/// that it sees one state of the database.
const DISAGREEMENTS: &str = "
    with known as (
        select project_id, session_id, user_id, user_rank, user_at, user_event_id, started_at, last_event_at, events
        from sessions
        union all
        select project_id, delta.*
        from sessions_delta
        cross join unnest(
            session_ids, user_ids, user_ranks, user_ats, user_event_ids, started_ats, last_event_ats, sessions_delta.events
        ) as delta
    ),
    from_rollup as (
        select
            project_id,
            session_id,
            (array_agg(user_id order by user_rank desc, user_at desc, user_event_id desc))[1] as user_id,
            min(started_at) as started_at,
            max(last_event_at) as last_event_at,
            sum(events)::bigint as events
        from known
        group by project_id, session_id
    ),
    from_rows as (
        select
            project_id,
            session_id,
            coalesce(
                (array_agg(user_id order by occurred_at desc, event_id desc) filter (where user_id is not null))[1],
                (array_agg(anonymous_id order by occurred_at desc, event_id desc) filter (where anonymous_id is not null))[1]
            ) as user_id,
            min(occurred_at) as started_at,
            max(occurred_at) as last_event_at,
            count(*) as events
        from events
        where session_id is not null
        group by project_id, session_id
    )
    select 'the rollup says ' || more::text from (table from_rollup except table from_rows) as more
    union all
    select 'the rows say ' || less::text from (table from_rows except table from_rollup) as less
    limit 10";

/// Up to ten sessions of which the rollup says something else than the rows of events.
///
/// # Panics
/// If PostgreSQL does not answer.
pub async fn session_disagreements(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(DISAGREEMENTS).fetch_all(pool).await.expect("sessions")
}
