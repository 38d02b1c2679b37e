//! The worker: JetStream in, PostgreSQL out, exactly once.
//!
//! `queue` pulls messages and gathers them into batches. `settle` brings each message to its end: its
//! events are stored by `store` in one transaction, and then it is acknowledged; or it is tried again,
//! and becomes a dead letter after its last attempt. `maintenance` runs the periodic tasks. `health`,
//! `status` and `metrics` tell how the worker is doing.
//!
//! It answers no queries: that is the API's work. With the feature `bench`, `bulk` offers the store to a
//! caller in Rust who has the events already.

mod bitmap;
#[cfg(feature = "bench")]
pub mod bulk;
mod error;
mod health;
mod maintenance;
mod metrics;
mod queue;
mod settings;
mod settle;
mod status;
mod store;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use rollcall_shared::queue::connect::Role;
use rollcall_shared::queue::{connect, stream};
use rollcall_shared::{database, shutdown, telemetry};
use strum::VariantNames as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::maintenance::expire::{Expired, ExpiredCounts, Expiry, ExpiryProgress};
pub use self::maintenance::merge::Merged;
pub use self::maintenance::rebuild::{Differences, Rebuild, RebuildProgress, Rebuilt};
pub use self::settings::{ArchiveDuty, WorkerSettings};
use crate::maintenance::{archive, backlog, compact, expire, index, lag, merge, partition, rebuild, report, sweep, unite};
use crate::queue::consumer;
use crate::settle::retry;

/// A worker ends within this time after it is asked to stop. Running batches get 5 s of it, and the last
/// acknowledgements and the withdrawal of its report get the rest.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// Runs a worker until told to stop. It answers health checks from the beginning, even while it waits for
/// PostgreSQL or NATS.
///
/// # Errors
/// Only if it cannot start: the settings are invalid, or NATS refuses the connection.
pub async fn run(settings: WorkerSettings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let recorded = telemetry::metrics();
    metrics::describe(compact::Kind::VARIANTS);
    let pool =
        database::pool(&settings.database, "rollcall-worker", settings.database.statement_timeout).context("DATABASE_URL")?;
    let status = Arc::new(status::Status::new());
    let nats = Arc::new(OnceLock::new());
    let health = health::Health { pool: pool.clone(), nats: nats.clone(), status: status.clone(), metrics: recorded };
    let served = axum::serve(listener, health::router(health)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let work = async {
        let served = async { served.await.context("serving health and metrics ended") };
        tokio::try_join!(served, Box::pin(work(settings, pool, nats, status, &stop))).map(drop)
    };
    match shutdown::within(STOP_TIMEOUT, &stop, work).await {
        Some(ended) => ended,
        // Some task still hangs, most likely because a server does not answer. Abandoning it loses no event.
        None => {
            tracing::warn!("something did not stop in time and was left");
            Ok(())
        }
    }
}

/// Waits for the servers, and then stores events until told to stop.
async fn work(
    settings: WorkerSettings,
    pool: sqlx::PgPool,
    connected: Arc<OnceLock<async_nats::Client>>,
    status: Arc<status::Status>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    // PostgreSQL or NATS may be away for long. A worker that is told to stop meanwhile has nothing to finish.
    let Some(nats) = stop.run_until_cancelled(prepare(settings.clone(), pool.clone())).await.transpose()? else { return Ok(()) };
    let nats = connected.get_or_init(|| nats);
    if stop.run_until_cancelled(prepare_tables(&pool, &status)).await.is_none() {
        return Ok(());
    }
    let retry_policy = retry::RetryPolicy { progress: settings.nats.ack_wait / 3, first_delay: settings.retry_delay };
    let reply_timeout = settings.database.reply_timeout;
    let store = store::Store::new(pool.clone(), reply_timeout, settings.event_types_per_project, status.clone());
    let attempts = settle::attempts::Attempts::new(pool.clone(), reply_timeout);
    let settler = settle::Settler::new(nats.clone(), store, attempts, retry_policy, status.clone(), stop.clone());
    let recreate = settings.database.migrate_on_start.then(|| settings.nats.clone());
    let consumer = consumer::Consumer::new(nats.clone(), Arc::new(settler), status.clone(), settings.batch_max_events, recreate);
    tracing::info!("worker is ready");
    // Each has a place of its own on the heap: together they would fill the stack of a thread.
    tokio::join!(
        Box::pin(consumer.run(stop)),
        Box::pin(compact::run(&pool, settings.compact_interval, reply_timeout, stop)),
        Box::pin(unite::run(&pool, reply_timeout, stop)),
        backlog::run(&pool, stop),
        Box::pin(partition::run(&pool, stop)),
        Box::pin(index::run(&pool, stop)),
        Box::pin(merge::run(&pool, stop)),
        Box::pin(expire::run(&pool, settings.expire_interval, stop)),
        Box::pin(archive::run(&settings.database, settings.archive.as_ref(), stop)),
        lag::run(nats.clone(), stop),
        sweep::run(nats.clone(), &pool, stop),
        report::run(&pool, &status, stop),
    );
    if let Err(error) = nats.flush().await {
        tracing::warn!(%error, "the last acknowledgements may be lost; their messages come back");
    }
    pool.close().await;
    Ok(())
}

/// Waits for the servers, brings schema and streams up to date if the settings say so, and connects.
async fn prepare(settings: WorkerSettings, pool: sqlx::PgPool) -> anyhow::Result<async_nats::Client> {
    database::wait_until_reachable(&pool).await;
    if settings.database.migrate_on_start {
        // Migrations may take, and wait for, as long as they like; another replica may be at one.
        let unlimited = database::pool(&settings.database, "rollcall-worker", Duration::ZERO).context("DATABASE_URL")?;
        database::migrate_when_reachable(&unlimited).await.context("the schema cannot be brought up to date")?;
        unlimited.close().await;
        stream::ensure_as_admin(&settings.nats).await?;
    }
    Ok(connect::connect(&settings.nats.access, Role::Worker).await?)
}

/// Waits until the schema is up to date, and makes the partitions of the coming days. With an older schema, a worker
/// could not store anything, and its errors would not say why.
async fn prepare_tables(pool: &sqlx::PgPool, status: &status::Status) {
    status.set_lacks_schema(true);
    database::wait_until_migrated(pool).await;
    status.set_lacks_schema(false);
    partition::make_at_start(pool).await;
}

/// Creates the partitions of the coming days. Workers do so themselves at start and every hour.
///
/// # Errors
/// Only if PostgreSQL does not answer or the schema is missing.
pub async fn make_partitions(pool: &sqlx::PgPool) -> anyhow::Result<()> {
    partition::make_as_of_now(pool).await.context("partitions cannot be made ahead")
}

/// Merges the partitions of months that are over; none if somebody is at work on them. Workers do so themselves every ten
/// minutes.
///
/// # Errors
/// Only if PostgreSQL does not answer, or if the tables were in use without a pause.
pub async fn merge_months(pool: &sqlx::PgPool) -> anyhow::Result<Vec<Merged>> {
    Ok(merge::merge_all(pool).await?)
}

/// Deletes what projects keep no longer, and tells how far it is. Workers do so themselves once an hour. The user of
/// PostgreSQL must be one who migrates.
///
/// # Errors
/// Only if somebody else does it at the moment or uses a table without a pause, if the project does not exist or keeps
/// everything, or if PostgreSQL does not answer. Running it again goes on.
pub async fn expire(
    pool: &sqlx::PgPool,
    expiry: &Expiry,
    progress: &mut (dyn FnMut(ExpiryProgress) + Send),
) -> anyhow::Result<Vec<Expired>> {
    Ok(expire::expire(pool, expiry, progress).await?)
}

/// Counts what [`expire`] would delete, and changes nothing.
///
/// # Errors
/// Only if the project does not exist or keeps everything, or if PostgreSQL does not answer.
pub async fn preview_expiry(pool: &sqlx::PgPool, expiry: &Expiry) -> anyhow::Result<Vec<Expired>> {
    Ok(expire::preview(pool, expiry).await?)
}

/// Compares the rollups with the rows, replaces what is wrong unless it is a dry run, and tells how far it is. Workers may
/// store events meanwhile.
///
/// # Errors
/// Only if the project does not exist, if rows of the days are not in the database, if somebody else is at work on the
/// rows for long, or if PostgreSQL does not answer. What was replaced before is right, and the rest is as it was.
pub async fn rebuild(
    pool: &sqlx::PgPool,
    request: &Rebuild,
    progress: &mut (dyn FnMut(RebuildProgress<'_>) + Send),
) -> anyhow::Result<Vec<Rebuilt>> {
    Ok(rebuild::rebuild(pool, request, progress).await?)
}
