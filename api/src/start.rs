//! The start: what an API needs before it can serve.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use rollcall_shared::topology::{self, Role};
use rollcall_shared::{database, telemetry};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::KeyRing;
use crate::confirmations::Confirmations;
use crate::error::ApiError;
use crate::ingest::{Budget, Lanes};
use crate::publish::ChunkPublisher;
use crate::queue::Queue;
use crate::settings::ApiSettings;
use crate::state::AppState;

/// Waits for the servers, brings schema and streams up to date if this is asked of it, and connects.
pub(crate) async fn prepare(settings: ApiSettings, database: PgPool, stop: CancellationToken) -> anyhow::Result<AppState> {
    database::wait_until_reachable(&database).await;
    if settings.database.migrate_on_start {
        let without_timeout = database::pool(&settings.database, "rollcall-api", Duration::ZERO).context("DATABASE_URL")?;
        database::migrate(&without_timeout).await.context("the schema cannot be brought up to date")?;
        topology::ensure_as_admin(&settings.nats).await?;
    }
    let nats = topology::connect(&settings.nats.url, Role::Api).await?;
    let confirmations = Arc::new(Confirmations::default());
    let publisher = ChunkPublisher::new(nats.clone(), settings.publish_deadline, confirmations.clone());
    let open_ring = || KeyRing::new(database.clone(), settings.api_key.as_ref());
    let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
    let keys = open_ring.retry(backoff).when(|error| matches!(error, ApiError::DatabaseUnavailable(_))).await?;
    Ok(AppState {
        keys: Arc::new(keys),
        lanes: Arc::new(Lanes::new(publisher.clone())),
        budget: Budget::new(settings.ingest_memory_bytes, settings.limits.max_body_bytes, settings.ingest_wait_timeout),
        queue: Queue::new(nats.clone(), confirmations),
        settings: Arc::new(settings),
        metrics: telemetry::metrics(),
        database,
        nats,
        publisher,
        stop,
        requests: TaskTracker::new(),
        publishes: true,
    })
}
