//! The textbook way: COPY into a temporary table, then `insert … select … on conflict do nothing` into one
//! table with a unique id and Rollcall's secondary indexes, without rollups.
//!
//! The conditions favour it: users and types are already numbers, the rows are encoded before the measurement
//! begins, and the whole request is one transaction.

use std::time::Instant;

use rollcall_shared::database::Lease;
use sqlx::{AssertSqlSafe, Connection, PgPool};

use super::payload;

/// `including all` copies Rollcall's indexes to the table, which has no partitions.
const SET_UP: [&str; 2] = [
    "create table textbook_events (like events including all)",
    "alter table textbook_events add constraint textbook_events_once unique (project_id, event_id)",
];
const STAGE: &str = "create temporary table staged_events (like events) on commit drop";
const COPY: &str = "copy staged_events from stdin (format binary)";
const INSERT: &str = "insert into textbook_events select * from staged_events on conflict do nothing";

/// Creates the table.
pub(crate) async fn set_up(pool: &PgPool) -> anyhow::Result<()> {
    for statement in SET_UP {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
    }
    Ok(())
}

/// Stores the rows in one transaction; returns the seconds that it took.
pub(crate) async fn run(pool: &PgPool, bodies: Vec<Vec<u8>>) -> anyhow::Result<f64> {
    let mut connection = Lease::acquire(pool).await?;
    let started = Instant::now();
    let mut transaction = connection.begin().await?;
    sqlx::query(STAGE).execute(&mut *transaction).await?;
    payload::copy(&mut transaction, COPY, bodies).await?;
    sqlx::query(INSERT).execute(&mut *transaction).await?;
    transaction.commit().await?;
    let seconds = started.elapsed().as_secs_f64();
    connection.give_back();
    Ok(seconds)
}
