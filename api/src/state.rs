//! What every handler shares.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;

use crate::auth::KeyRing;
use crate::ingest::{ChunkPublisher, Lanes};
use crate::settings::ApiSettings;

/// The state of the router; clones share everything.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) settings: Arc<ApiSettings>,
    /// For reads: statements end after the read timeout.
    pub(crate) database: PgPool,
    pub(crate) nats: async_nats::Client,
    pub(crate) publisher: ChunkPublisher,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) metrics: PrometheusHandle,
}
