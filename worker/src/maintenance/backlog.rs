//! Backlog: reports as metrics how many deltas wait for the compaction. Every worker does so.

use std::time::Duration;

use metrics::gauge;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::compact::Kind;
use crate::maintenance::every;

/// Frequent enough to show a backlog as it grows, rare enough to cost little.
const INTERVAL: Duration = Duration::from_secs(10);
/// At most this many deltas of event counts are counted, which takes PostgreSQL a tenth of a second.
const MAX_COUNTS: i64 = 1_000_000;
/// The same for deltas of active users, whose rows are wider.
const MAX_BITMAPS: i64 = 100_000;
/// The same for rows of sessions or users, each of which holds up to a thousand.
const MAX_SUMMARY_ROWS: i64 = 100_000;

/// Measures at every interval until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    every("backlog", INTERVAL, stop, || measure(pool)).await;
}

async fn measure(pool: &PgPool) -> Result<(), StoreError> {
    let users = sqlx::query_file!("sql/maintenance/select_active_users_backlog.sql", MAX_BITMAPS).fetch_one(pool).await?;
    set(Kind::ActiveUsers, users.waiting, users.oldest_age_secs);
    let counts = sqlx::query_file!("sql/maintenance/select_event_counts_backlog.sql", MAX_COUNTS).fetch_one(pool).await?;
    set(Kind::EventCounts, counts.waiting, counts.oldest_age_secs);
    let sessions = sqlx::query_file!("sql/maintenance/select_sessions_backlog.sql", MAX_SUMMARY_ROWS).fetch_one(pool).await?;
    set(Kind::Sessions, sessions.waiting, sessions.oldest_age_secs);
    let activity =
        sqlx::query_file!("sql/maintenance/select_user_activity_backlog.sql", MAX_SUMMARY_ROWS).fetch_one(pool).await?;
    set(Kind::UserActivity, activity.waiting, activity.oldest_age_secs);
    Ok(())
}

fn set(kind: Kind, waiting: i64, oldest_age_secs: f64) {
    gauge!("rollcall_rollup_deltas_waiting", "kind" => kind.name()).set(waiting as f64);
    gauge!("rollcall_rollup_oldest_delta_age_seconds", "kind" => kind.name()).set(oldest_age_secs);
}
