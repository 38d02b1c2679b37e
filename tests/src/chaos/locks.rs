//! Trouble inside PostgreSQL: foreign locks, deadlocks, and sessions that are ended.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::fault::Fault;
use super::fleet::Fleet;

/// What is locked, first to last. A worker's transaction goes through `event_ids` to the deltas, so
/// the last of these locks in the opposite order: somebody is a deadlock's victim.
const LOCKS: [&[&str]; 4] = [
    &["select id from projects for update"],
    &["lock table event_ids in share row exclusive mode"],
    &["lock table active_users_delta in share row exclusive mode"],
    &["lock table active_users_delta in share row exclusive mode", "lock table event_ids in share row exclusive mode"],
];
/// Time between two locks of one transaction: long enough for a worker to come in between.
const BETWEEN_LOCKS: Duration = Duration::from_millis(300);
/// Time between two sessions that are ended.
const TERMINATE_EVERY: Duration = Duration::from_millis(150);
const TERMINATE: &str = "
    select count(pg_terminate_backend(pid))
    from (select pid from pg_stat_activity where application_name = 'rollcall-worker' order by random() limit 1) as victim";

/// Holds locks that workers need.
pub(crate) async fn hold(fleet: &Fleet, fault: Fault) {
    // Whatever goes wrong ends the transaction, and with it the fault.
    let _ = lock(&fleet.pool, LOCKS[fault.draw % LOCKS.len()], fault.lasts).await;
}

/// Ends the session of one worker after another.
pub(crate) async fn terminate(fleet: &Fleet, fault: Fault) {
    for _ in 0..=fault.lasts.as_millis() / TERMINATE_EVERY.as_millis() {
        let _ = sqlx::query(TERMINATE).execute(&fleet.pool).await;
        tokio::time::sleep(TERMINATE_EVERY).await;
    }
}

async fn lock(pool: &PgPool, statements: &[&'static str], lasts: Duration) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for (place, statement) in statements.iter().enumerate() {
        if place > 0 {
            tokio::time::sleep(BETWEEN_LOCKS).await;
        }
        execute(&mut transaction, statement).await?;
    }
    tokio::time::sleep(lasts).await;
    transaction.rollback().await
}

async fn execute(connection: &mut PgConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(drop)
}
