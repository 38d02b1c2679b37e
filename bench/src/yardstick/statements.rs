//! The bare statements of our own transaction: identities, rows, deltas, commit, with everything
//! encoded before the clock starts. What is left is PostgreSQL's part.

use std::time::Instant;

use rollcall_shared::database::Lease;
use rollcall_worker::bulk::Prepared;
use sqlx::PgPool;

/// Runs the transactions one after the other, as one worker does; returns the seconds they took.
pub(crate) async fn run(pool: &PgPool, prepared: Vec<Prepared>) -> anyhow::Result<f64> {
    let mut connection = Lease::acquire(pool).await?;
    let started = Instant::now();
    for transaction in prepared {
        transaction.execute(&mut connection).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    connection.give_back();
    Ok(seconds)
}
