//! The API: HTTP in, JSON out.
//!
//! `server` handles connections, `router` lists every path. `ingest` accepts events and makes them
//! durable in JetStream; `query` answers queries from PostgreSQL; `mcp` offers the same queries to
//! assistants; `live` sends events on as they are accepted; `pipeline` shows how far events have come;
//! `dead_letters` lists, redrives and purges events that could not be stored; `auth` decides who may do
//! what, and `event_rules` what each project demands of its events; `exposure` says which parts are open to whom,
//! `cors` which web pages may call, and `security_headers` what browsers may not do; `client_address` finds the client
//! behind proxies; `dashboard` serves the web application and signs people in to it; `admin` governs projects, keys and
//! schemas, and `upkeep` keeps the keys up to date;
//! `unsent` bounds the answers that clients have not taken yet; `error` defines the error answers;
//! `metrics` describes the metrics; `openapi` describes the API, and `pages` shows it to people.
//!
//! It never writes events: that is the worker's work.

mod admin;
mod archived;
mod auth;
mod client_address;
mod conflict;
mod cors;
mod cursor;
mod dashboard;
mod dead_letters;
mod dependencies;
mod error;
mod event_rules;
mod exposure;
mod extract;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod graphql;
mod health;
mod ingest;
mod ledger;
mod live;
mod mcp;
mod metrics;
mod openapi;
mod pages;
mod paging;
mod parameters;
mod pipeline;
mod problem;
mod query;
mod queue;
mod read_pool;
mod rfc3339;
mod router;
mod security_headers;
mod server;
mod settings;
mod shown;
mod start;
mod state;
mod under_way;
mod unsent;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_shared::{shutdown, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::client_address::{Network, ProxyHeader, ProxySettings};
pub use self::cors::{CorsSettings, Origin};
pub use self::exposure::{Exposure, ExposureSettings};
use self::queue::notices::Notices;
pub use self::server::TlsFiles;
use self::server::{Server, Tls};
pub use self::settings::{ApiSettings, ConnectionLimits, GraphQlSettings, LimitSettings, LiveSettings, RequestLimits};
use self::start::Preparation;
use self::state::AppState;
use self::upkeep::Upkeep;

/// The key of `.env.example`, which everybody knows.
const WELL_KNOWN_KEY: &str = "secret-key";

/// After the signal to stop, running requests have this long to finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// What was counted and not written yet is written within this time, or lost.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// The process ends this long after the signal to stop, whatever is still running. `rollcall dev`
/// stops its servers afterwards, and has 10 s for everything.
const STOP_TIMEOUT: Duration = Duration::from_millis(6_500);

/// The description of the API as an OpenAPI document, which `/openapi.json` serves.
#[must_use]
pub fn openapi() -> String {
    router::document().text()
}

/// Serves until told to stop, and then finishes the requests that have begun. It answers from the
/// beginning, also while it waits for PostgreSQL or NATS.
///
/// # Errors
/// Only if it cannot start: the settings do not fit, or NATS refuses the connection.
pub async fn run(settings: ApiSettings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (app, preparation) = start::begin(settings, stop).await?;
    serve(app, preparation, listener).await
}

/// Like [`run`], but answers 202 without publishing, and so loses every event. The benchmark uses it to
/// measure the cost of HTTP, keys and validation alone.
///
/// # Errors
/// As [`run`].
#[cfg(feature = "bench")]
pub async fn run_without_publishing(settings: ApiSettings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (app, preparation) = start::begin(settings, stop).await?;
    app.ingestion.publish_nothing();
    serve(app, preparation, listener).await
}

async fn serve(app: AppState, preparation: Preparation, listener: TcpListener) -> anyhow::Result<()> {
    warn_of_known_key(&app.settings, &listener);
    let (connections, stop) = (app.settings.connections, app.stop.clone());
    let address = listener.local_addr().context("the listener has no address")?;
    let (reads, keys, requests) = (app.reads.clone(), app.keys.clone(), app.requests.clone());
    let administration = app.administration.pool.clone();
    let rule_book = app.rule_book.clone();
    let upkeep = Upkeep { keys: app.keys.clone(), rule_book: rule_book.clone(), pool: administration.clone() };
    let upkeep = tokio::spawn(background(app.metrics.clone(), upkeep, app.administration.notices.clone()));
    let tls = match app.settings.tls.clone() {
        Some(files) => Some(Arc::new(Tls::load(files).await.context("API_TLS_CERT_FILE and API_TLS_KEY_FILE")?)),
        None => None,
    };
    let renewal = tls.clone().map(|tls| AbortOnDropHandle::new(tokio::spawn(async move { tls.keep_current().await })));
    tracing::info!(%address, tls = tls.is_some(), "api is listening");
    let (answered, until_stop) = (stop.clone(), requests.clone());
    // Until the last request is answered, new connections are accepted and get 503.
    let drained = async move {
        answered.cancelled().await;
        until_stop.close();
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, until_stop.wait()).await;
    };
    let server = Server::new(listener, router::router(app), connections, tls);
    let work = async {
        // PostgreSQL or NATS may be away for long. If the API is told to stop meanwhile, it has nothing to
        // finish.
        let prepared = async { stop.run_until_cancelled(preparation.run()).await.unwrap_or(Ok(())) };
        let served = async {
            server.run(drained).await;
            Ok(())
        };
        tokio::try_join!(served, prepared)?;
        let _ = tokio::time::timeout(LAST_WRITE_TIMEOUT, upkeep::write_violations(&rule_book, &administration)).await;
        tokio::join!(reads.close(), keys.close(), administration.close());
        anyhow::Ok(())
    };
    let ended = shutdown::within(STOP_TIMEOUT, &stop, work).await;
    upkeep.abort();
    drop(renewal);
    if ended.is_none() || !requests.is_empty() {
        tracing::warn!(requests = requests.len(), "requests that took too long were left unanswered");
    }
    ended.unwrap_or(Ok(()))
}

/// What the API does beside answering requests, until it is aborted.
async fn background(metrics: PrometheusHandle, upkeep: Upkeep, notices: Notices) {
    tokio::join!(telemetry::upkeep(metrics), upkeep.run(&notices));
}

fn warn_of_known_key(settings: &ApiSettings, listener: &TcpListener) {
    let is_known = settings.api_key.as_ref().is_some_and(|key| key.expose() == WELL_KNOWN_KEY);
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    if is_known && !is_local {
        tracing::warn!("API_KEY is the example's key and the address is not loopback: anyone can send and read; change it");
    }
}
