//! The upper limit: binary COPY into a table without indexes, keys or partitions.

use std::time::Instant;

use rollcall_shared::database::Lease;
use sqlx::{Connection, PgPool};

use super::payload;

/// Creates the table.
pub(crate) async fn set_up(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::query("create table bare_events (like events)").execute(pool).await?;
    Ok(())
}

/// Copies the rows in one transaction; returns the seconds that it took.
pub(crate) async fn run(pool: &PgPool, bodies: Vec<Vec<u8>>) -> anyhow::Result<f64> {
    let mut connection = Lease::acquire(pool).await?;
    let started = Instant::now();
    let mut transaction = connection.begin().await?;
    payload::copy(&mut transaction, "copy bare_events from stdin (format binary)", bodies).await?;
    transaction.commit().await?;
    let seconds = started.elapsed().as_secs_f64();
    connection.give_back();
    Ok(seconds)
}
