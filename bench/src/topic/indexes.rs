//! Indexes: what a worker has still to do for the events of a day when the day is over.
//!
//! The figures of storing leave this out, since it happens later: the B-trees of a day are taken away
//! and built again, as for a day that has just passed.

use std::time::Instant;

use anyhow::{Context, ensure};
use rollcall_worker::bulk::Loader;
use sqlx::{AssertSqlSafe, PgPool};

use crate::Bench;
use crate::outcome::Outcome;
use crate::row::Row;

/// The last partition with rows and B-trees.
const LAST_SEALED: &str = "select max(c.relname)::text
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events'::regclass and to_regclass(c.relname || '_by_user') is not null
    and c.relname ~ '[0-9]{8}$' and c.reltuples > 0";

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    for stage in bench.stages.iter().filter(|stage| stage.rows > 0) {
        let mut row = Row::lower(format!("B-trees of a day that is over, built at once, {}", stage.name()), "µs/event");
        for _ in 0..bench.reps() {
            row.ours.push(build(&stage.service.database.pool).await?);
        }
        outcome.rows.push(row);
    }
    Ok(())
}

/// Microseconds for each event of the day.
async fn build(pool: &PgPool) -> anyhow::Result<f64> {
    let day: Option<String> = sqlx::query_scalar(LAST_SEALED).fetch_one(pool).await?;
    let day = day.context("no partition has B-trees")?;
    let events: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {day}"))).fetch_one(pool).await?;
    sqlx::query(AssertSqlSafe(format!("drop index {day}_by_user, {day}_by_session"))).execute(pool).await?;
    let started = Instant::now();
    Loader::new(pool.clone()).seal().await?;
    let last: Option<String> = sqlx::query_scalar(LAST_SEALED).fetch_one(pool).await?;
    ensure!(last.is_some_and(|last| last == day), "the indexes of {day} were not built: a worker was about to");
    Ok(started.elapsed().as_secs_f64() * 1e6 / events as f64)
}
