//! The worker: JetStream in, PostgreSQL out, exactly once.
//!
//! `consumer` pulls messages and decodes them into a `batch`; `store` writes it in one transaction
//! with the help of the `dictionary`, `copy` and `rollup`; then the messages are acknowledged.
//! Beside that, `compact` folds the rollups, `partition` makes tables ahead, `lag` measures the
//! queue, and `health` tells how things are.
//!
//! It answers no questions: that is the API's work.

mod batch;
mod compact;
mod consumer;
mod copy;
mod dictionary;
mod error;
mod health;
mod lag;
mod partition;
mod retry;
mod rollup;
mod settings;
mod store;

use std::time::Duration;

use anyhow::Context as _;
use rollcall_shared::topology::{self, Role};
use rollcall_shared::{database, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::settings::WorkerSettings;

/// Runs a worker until told to stop.
///
/// # Errors
/// Only if it cannot start: the settings do not fit, or NATS refuses the connection.
pub async fn run(settings: WorkerSettings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    describe_metrics();
    let pool = database::pool(&settings.database, "rollcall-worker", Duration::ZERO).context("DATABASE_URL")?;
    database::wait_until_reachable(&pool).await;
    if settings.database.migrate_on_start {
        database::migrate(&pool).await.context("the schema cannot be brought up to date")?;
        topology::ensure_as_admin(&settings.nats).await?;
    }
    let nats = topology::connect(&settings.nats.url, Role::Worker).await?;
    make_partitions(&pool).await?;
    let consumer = consumer::Consumer::new(nats.clone(), pool.clone(), settings.batch_max_events);
    let health = health::Health { pool: pool.clone(), nats: nats.clone(), metrics: telemetry::metrics() };
    let served = axum::serve(listener, health::router(health)).with_graceful_shutdown(stop.clone().cancelled_owned());
    tracing::info!("worker is ready");
    let (served, ..) = tokio::join!(
        served.into_future(),
        consumer.run(&stop),
        compact::run(&pool, settings.compact_interval, &stop),
        partition::run(&pool, &stop),
        lag::run(nats.clone(), &stop),
    );
    nats.flush().await.context("the last acknowledgements may be lost; their messages come back")?;
    pool.close().await;
    served.context("serving health and metrics ended")
}

/// Makes the partitions of the coming days. Workers do it by themselves at start and every hour.
///
/// # Errors
/// Only if PostgreSQL does not answer or the schema is missing.
pub async fn make_partitions(pool: &sqlx::PgPool) -> anyhow::Result<()> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    partition::make(pool, today).await.context("partitions cannot be made ahead")
}

fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("rollcall_events_stored_total", "Events stored for the first time");
    describe_counter!("rollcall_events_duplicate_total", "Events that were stored before");
    describe_counter!("rollcall_store_retries_total", "Batches tried again after a transient fault of PostgreSQL");
    describe_counter!("rollcall_messages_undecodable_total", "Deliveries whose payload is not a chunk");
    describe_counter!("rollcall_messages_put_off_total", "Deliveries refused by PostgreSQL and put off");
    describe_counter!("rollcall_rollup_keys_compacted_total", "Rollup keys folded from deltas into their base");
    describe_histogram!("rollcall_store_duration_seconds", Unit::Seconds, "Time to store one batch");
    describe_histogram!("rollcall_store_batch_events", Unit::Count, "Events of one stored batch");
    describe_gauge!("rollcall_consumer_lag_messages", "Messages accepted and not yet acknowledged");
    describe_gauge!("rollcall_consumer_redelivered_messages", "Unacknowledged messages that were delivered before");
    describe_gauge!("rollcall_oldest_unstored_age_seconds", Unit::Seconds, "Age of the oldest message not yet stored");
    describe_gauge!("rollcall_stream_bytes", Unit::Bytes, "Size of the stream of accepted events");
}
