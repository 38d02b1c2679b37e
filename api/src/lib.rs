//! The API: HTTP in, JSON out.
//!
//! `router` names every path. `ingest` takes events and makes them durable in JetStream; `query`
//! answers questions from PostgreSQL; `auth` says who may do which; `error` is what a client is
//! told when something is wrong.
//!
//! It never writes events: that is the worker's work.

mod auth;
mod error;
mod extract;
mod health;
mod ingest;
mod query;
mod router;
mod settings;
mod state;

use std::sync::Arc;

use anyhow::Context;
use rollcall_shared::topology::{self, Role};
use rollcall_shared::{database, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::settings::{ApiSettings, RequestLimits};
use self::state::AppState;

/// The key of `.env.example`, which everybody knows.
const WELL_KNOWN_KEY: &str = "secret-key";

/// Serves until told to stop, and then finishes the requests that have begun.
///
/// # Errors
/// Only if it cannot start: the settings do not fit, or NATS refuses the connection.
pub async fn run(settings: ApiSettings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    describe_metrics();
    warn_of_known_key(&settings, &listener);
    let database = database::pool(&settings.database, "rollcall-api", settings.read_timeout).context("DATABASE_URL")?;
    database::wait_until_reachable(&database).await;
    if settings.database.migrate_on_start {
        let without_timeout =
            database::pool(&settings.database, "rollcall-api", std::time::Duration::ZERO).context("DATABASE_URL")?;
        database::migrate(&without_timeout).await.context("the schema cannot be brought up to date")?;
        topology::ensure_as_admin(&settings.nats).await?;
    }
    let nats = topology::connect(&settings.nats.url, Role::Api).await?;
    let publisher = ingest::ChunkPublisher::new(nats.clone(), settings.publish_deadline);
    let app = AppState {
        keys: Arc::new(auth::KeyRing::new(database.clone(), settings.api_key.as_ref()).await?),
        lanes: Arc::new(ingest::Lanes::new(publisher.clone())),
        settings: Arc::new(settings),
        metrics: telemetry::metrics(),
        database,
        nats,
        publisher,
    };
    let address = listener.local_addr().context("the listener has no address")?;
    let pool = app.database.clone();
    let upkeep = tokio::spawn(telemetry::upkeep(app.metrics.clone()));
    tracing::info!(%address, "api is ready");
    let served = axum::serve(listener, router::router(app)).with_graceful_shutdown(stop.cancelled_owned()).await;
    upkeep.abort();
    pool.close().await;
    served.context("serving HTTP ended")
}

fn warn_of_known_key(settings: &ApiSettings, listener: &TcpListener) {
    let is_known = settings.api_key.as_ref().is_some_and(|key| key.expose() == WELL_KNOWN_KEY);
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    if is_known && !is_local {
        tracing::warn!("API_KEY is the example's key and the address is not loopback: anyone can send and read; change it");
    }
}

fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_histogram};
    describe_counter!("rollcall_http_requests_total", "Requests by method, route and status");
    describe_histogram!("rollcall_http_request_duration_seconds", Unit::Seconds, "Time from request to answer");
    describe_counter!("rollcall_received_bytes_total", Unit::Bytes, "Bytes of batches after decompression");
    describe_counter!("rollcall_events_accepted_total", "Events durable in the queue and answered with 202");
    describe_counter!("rollcall_events_rejected_total", "Events refused as invalid");
    describe_histogram!("rollcall_request_batch_events", Unit::Count, "Events of one accepted request");
    describe_counter!("rollcall_chunks_published_total", "Messages confirmed by the queue");
    describe_counter!("rollcall_published_bytes_total", Unit::Bytes, "Compressed bytes confirmed by the queue");
    describe_histogram!("rollcall_publish_duration_seconds", Unit::Seconds, "Time from publish to confirmation");
}
