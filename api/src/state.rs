//! The state that all handlers share.
//!
//! Handlers and extractors take the parts that they need, through [`FromRef`].

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_shared::database::Presence;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Administration;
use crate::auth::{KeyRing, Limits};
use crate::event_rules::RuleBook;
use crate::graphql::GraphQl;
use crate::health::SchemaReadiness;
use crate::ingest::Ingestion;
use crate::live::Live;
use crate::query::Answering;
use crate::queue::publish::ChunkPublisher;
use crate::queue::state::Queue;
use crate::read_pool::ReadPool;
use crate::settings::ApiSettings;

/// The state of the router. Every request clones it several times, so a clone is cheap.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Parts>);

impl AppState {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of the state.
pub(crate) struct Parts {
    pub(crate) settings: Arc<ApiSettings>,
    /// Connections for queries.
    pub(crate) reads: ReadPool,
    /// What questions are answered from.
    pub(crate) answering: Answering,
    pub(crate) administration: Administration,
    pub(crate) graphql: GraphQl,
    /// Checks whether PostgreSQL can be reached.
    pub(crate) presence: Arc<Presence>,
    pub(crate) schema: SchemaReadiness,
    pub(crate) nats: async_nats::Client,
    pub(crate) queue: Queue,
    pub(crate) publisher: ChunkPublisher,
    pub(crate) ingestion: Ingestion,
    pub(crate) live: Live,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) rule_book: Arc<RuleBook>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: PrometheusHandle,
    /// Cancelled when the process is told to stop.
    pub(crate) stop: CancellationToken,
    /// Tracks the requests in progress.
    pub(crate) requests: TaskTracker,
}

macro_rules! parts {
    ($($field:ident: $part:ty),+ $(,)?) => {
        $(impl FromRef<AppState> for $part {
            fn from_ref(app: &AppState) -> Self {
                app.$field.clone()
            }
        })+
    };
}

parts! {
    settings: Arc<ApiSettings>,
    reads: ReadPool,
    answering: Answering,
    administration: Administration,
    graphql: GraphQl,
    presence: Arc<Presence>,
    schema: SchemaReadiness,
    nats: async_nats::Client,
    queue: Queue,
    publisher: ChunkPublisher,
    ingestion: Ingestion,
    live: Live,
    keys: Arc<KeyRing>,
    limits: Arc<Limits>,
    metrics: PrometheusHandle,
    stop: CancellationToken,
    requests: TaskTracker,
}
