//! The statements of Rollcall's own transaction (identities, rows, deltas, commit), with all data encoded
//! before the measurement begins. So it measures only PostgreSQL's part.

use std::time::Instant;

use rollcall_shared::database::Lease;
use rollcall_worker::bulk::Prepared;
use sqlx::PgPool;

/// Runs the transactions one after the other and returns the seconds that they took.
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
