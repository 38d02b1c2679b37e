//! Indexes: the cost of each index when events are stored and when their day is over.
//!
//! The topic copies rows into a table with each kind of index in turn, and then updates the filters, as
//! workers do every ten seconds. It then runs the transactions of a batch with and without the deltas of
//! sessions, and folds all deltas.
//!
//! Finally it drops and builds the B-trees of one day, as a worker does when a day is over. The figures of
//! storing do not include this, because it happens later.

use std::time::Instant;

use anyhow::{Context, ensure};
use rollcall_worker::bulk::Loader;
use sqlx::{AssertSqlSafe, PgPool};

use crate::Bench;
use crate::batch::Batch;
use crate::database::Database;
use crate::outcome::Outcome;
use crate::row::Row;
use crate::yardstick::{payload, statements};

/// Number of users in the events, as in the topic `request`.
const USERS: u32 = 50_000;

/// The kinds of index on the table `indexed_events`, which has the columns of `events`.
const INDEXES: [(&str, &str); 5] = [
    (
        "filters by time, project, user and session",
        "create index on indexed_events using brin (
            occurred_at,
            project_id int4_bloom_ops (n_distinct_per_range = 100),
            user_ord int4_bloom_ops (n_distinct_per_range = 1000),
            session_id text_bloom_ops (n_distinct_per_range = 1000)
        ) with (pages_per_range = 16)",
    ),
    (
        "these filters and those by type and event id",
        "create index on indexed_events using brin (
            occurred_at,
            project_id int4_bloom_ops (n_distinct_per_range = 100),
            event_type_id int4_bloom_ops (n_distinct_per_range = 100),
            user_ord int4_bloom_ops (n_distinct_per_range = 1000),
            session_id text_bloom_ops (n_distinct_per_range = 1000),
            event_id uuid_bloom_ops (n_distinct_per_range = 1000)
        ) with (pages_per_range = 16)",
    ),
    (
        "a filter by account alone",
        "create index on indexed_events using brin (account_id text_bloom_ops (n_distinct_per_range = 1000))
         with (pages_per_range = 16)",
    ),
    (
        "the B-tree by account alone",
        "create index on indexed_events (project_id, account_id, occurred_at) where account_id is not null",
    ),
    (
        "a B-tree by type alone, which is built when the day is over",
        "create index on indexed_events (project_id, event_type_id, occurred_at)",
    ),
];

const SUMMARIZE: &str = "select sum(brin_summarize_new_values(i.indexrelid::regclass))
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_am on pg_am.oid = c.relam and pg_am.amname = 'brin'
where i.indrelid = 'indexed_events'::regclass";

/// Name suffixes of the B-trees of a day that is over.
const BTREES: [&str; 3] = ["_by_user", "_by_session", "_by_type"];

/// The latest daily partition with rows and with the given B-tree.
const LAST_SEALED: &str = "select max(c.relname)::text
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events'::regclass and to_regclass(c.relname || $1) is not null
    and c.relname ~ '[0-9]{8}$' and c.reltuples > 0";

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let database = Database::create(&bench.stack.postgres, "indexes").await?;
    database.migrate().await?;
    rollcall_worker::make_partitions(&database.pool).await?;
    copy_with_each(bench, &database.pool, outcome).await?;
    store_with_sessions(bench, &database, outcome).await?;
    for stage in bench.stages.iter().filter(|stage| stage.rows > 0) {
        for suffix in BTREES {
            let mut row = Row::lower(format!("B-tree {suffix} of a day that is over, {}", stage.name()), "µs/event");
            for _ in 0..bench.reps() {
                row.ours.push(build(&stage.service.database.pool, suffix).await?);
            }
            outcome.rows.push(row);
        }
    }
    Ok(())
}

/// Copies rows with each kind of index, compared with no index.
async fn copy_with_each(bench: &Bench, pool: &PgPool, outcome: &mut Outcome) -> anyhow::Result<()> {
    let without = "without an index";
    let mut rows = INDEXES.map(|(name, _)| Row::lower(format!("rows copied, with {name}"), "µs/event").against(without, None));
    for rep in 0..=bench.reps() {
        let prepared = payload::prepare(pool, &payload::lines(&batch(bench, rep)?)).await?;
        let bare = copy(bench, pool, None, payload::bodies(&prepared)).await?;
        for (row, (_, index)) in rows.iter_mut().zip(INDEXES) {
            let indexed = copy(bench, pool, Some(index), payload::bodies(&prepared)).await?;
            // The first round only warms up.
            if rep > 0 {
                row.ours.push(indexed);
                row.yardsticks[0].measurements.push(bare);
            }
        }
    }
    outcome.rows.extend(rows);
    Ok(())
}

/// Copies rows into a new table and updates its filters. Returns microseconds per event.
async fn copy(bench: &Bench, pool: &PgPool, index: Option<&'static str>, bodies: Vec<Vec<u8>>) -> anyhow::Result<f64> {
    for statement in ["drop table if exists indexed_events", "create table indexed_events (like events)"].into_iter().chain(index)
    {
        sqlx::query(statement).execute(pool).await?;
    }
    let mut connection = pool.acquire().await?;
    let started = Instant::now();
    payload::copy(&mut connection, "copy indexed_events from stdin (format binary)", bodies).await?;
    sqlx::query(SUMMARIZE).execute(&mut *connection).await?;
    Ok(micros_per_event(bench, started))
}

/// Runs the transactions of a batch with and without the deltas of sessions, and folds the deltas.
async fn store_with_sessions(bench: &Bench, database: &Database, outcome: &mut Outcome) -> anyhow::Result<()> {
    let pool = &database.pool;
    let mut stored = Row::lower("our transactions, with the deltas of sessions", "µs/event").against("without them", None);
    let mut folded = Row::lower("all deltas folded at once, with those of sessions", "µs/event").against("without them", None);
    for rep in 0..=bench.reps() {
        let lines = payload::lines(&batch(bench, rep)?);
        let (mut stored_micros, mut folded_micros) = ([0.0; 2], [0.0; 2]);
        for with_sessions in [false, true] {
            database.clear().await?;
            let prepared = payload::prepare(pool, &lines).await?.into_iter();
            let prepared = if with_sessions { prepared.collect() } else { prepared.map(|one| one.without_sessions()).collect() };
            stored_micros[usize::from(with_sessions)] =
                statements::run(pool, prepared).await? * 1e6 / bench.arguments.events as f64;
            let started = Instant::now();
            Loader::new(pool.clone()).compact().await?;
            folded_micros[usize::from(with_sessions)] = micros_per_event(bench, started);
        }
        if rep > 0 {
            for (row, [without, with]) in [(&mut stored, stored_micros), (&mut folded, folded_micros)] {
                row.ours.push(with);
                row.yardsticks[0].measurements.push(without);
            }
        }
    }
    outcome.rows.extend([stored, folded]);
    Ok(())
}

fn batch(bench: &Bench, rep: u64) -> anyhow::Result<Batch> {
    Batch::new(bench.arguments.events, USERS, bench.first_seed.wrapping_add(rep))
}

fn micros_per_event(bench: &Bench, started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / bench.arguments.events as f64
}

/// Drops a B-tree of the latest day that has it and builds it again. Returns microseconds per event of the
/// day.
async fn build(pool: &PgPool, suffix: &str) -> anyhow::Result<f64> {
    let last = async || sqlx::query_scalar(LAST_SEALED).bind(suffix).fetch_one(pool).await;
    let day: Option<String> = last().await?;
    let day = day.context("no partition has B-trees")?;
    let events: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {day}"))).fetch_one(pool).await?;
    sqlx::query(AssertSqlSafe(format!("drop index {day}{suffix}"))).execute(pool).await?;
    let started = Instant::now();
    Loader::new(pool.clone()).seal().await?;
    let is_built = last().await?.is_some_and(|last: String| last == day);
    ensure!(is_built, "the index {day}{suffix} was not built, because a worker was building it");
    Ok(started.elapsed().as_secs_f64() * 1e6 / events as f64)
}
