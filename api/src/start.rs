//! Start: the API serves before PostgreSQL and NATS can be reached.
//!
//! [`begin`] creates everything that a request needs without contacting a server, so the API answers from the
//! moment it listens. [`Preparation::run`] meanwhile waits for the servers, for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use backon::Retryable;
use rollcall_shared::backoff;
use rollcall_shared::database::{self, DatabaseSettings, Presence};
use rollcall_shared::queue::connect::Role;
use rollcall_shared::queue::{connect, stream};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Administration;
use crate::auth::{KeyRing, Limits, LookUps, Sessions};
use crate::cursor::Cursors;
use crate::error::ApiError;
use crate::event_rules::RuleBook;
use crate::graphql::GraphQl;
use crate::health::SchemaReadiness;
use crate::ingest::Ingestion;
use crate::live::Live;
use crate::metrics;
use crate::query::{Answering, RecentAnswers, Turns};
use crate::queue::confirmations::Confirmations;
use crate::queue::notices::Notices;
use crate::queue::publish::ChunkPublisher;
use crate::queue::state::Queue;
use crate::read_pool::ReadPool;
use crate::settings::ApiSettings;
use crate::state::{AppState, Parts};

/// How long the look-up of a key waits for a connection. While PostgreSQL is away, one request in four
/// seconds with a known key is delayed by this time.
const KEY_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections for administration, and for noting when keys were used. They are in addition to the others, and
/// opened when they are needed.
const ADMINISTRATION_CONNECTIONS: u32 = 2;
/// Time for a look-up in addition to the acquire timeout and the server's statement timeout.
const ROUND_TRIP_TIME: Duration = Duration::from_millis(500);

/// The work that remains when the API already serves requests.
pub(crate) struct Preparation {
    settings: Arc<ApiSettings>,
    keys: Arc<KeyRing>,
    pool: PgPool,
    schema: SchemaReadiness,
}

/// Creates the state of the API without contacting a server.
///
/// # Errors
/// Only if a URL is invalid.
pub(crate) async fn begin(settings: ApiSettings, stop: CancellationToken) -> anyhow::Result<(AppState, Preparation)> {
    let reads = database::pool(&settings.database, "rollcall-api", settings.read_timeout).context("DATABASE_URL")?;
    let presence = Arc::new(Presence::of(&reads));
    let (keys, rule_book) = key_ring(&settings, presence.clone())?;
    let (keys, rule_book) = (Arc::new(keys), Arc::new(rule_book));
    let nats = connect::connect_in_background(&settings.nats.access, Role::Api).await?;
    let confirmations = Arc::new(Confirmations::default());
    let publisher = ChunkPublisher::new(nats.clone(), settings.publish_deadline, confirmations.clone());
    let settings = Arc::new(settings);
    let schema = SchemaReadiness::default();
    let pool = administration_pool(&settings)?;
    let preparation = Preparation { settings: settings.clone(), keys: keys.clone(), pool: pool.clone(), schema: schema.clone() };
    let reads = ReadPool::new(reads, presence.clone(), settings.questions_per_project);
    let answering = Answering {
        reads: reads.clone(),
        cursors: Cursors::default(),
        recent: RecentAnswers::default(),
        turns: Turns::new(settings.read_timeout),
    };
    let live = Live::new(&settings.live, settings.nats.access.clone(), settings.connections.max_connections);
    let administration =
        Administration::new(pool, presence.clone(), keys.clone(), Notices::new(nats.clone()), answering.cursors.clone());
    let app = AppState::new(Parts {
        keys,
        rule_book: rule_book.clone(),
        administration,
        limits: Arc::new(Limits::new(&settings.rates)),
        graphql: GraphQl::new(settings.graphql, answering.clone(), live.clone(), settings.connections.max_connections)?,
        answering,
        reads,
        presence,
        schema,
        ingestion: Ingestion::new(&settings, nats.clone(), publisher.clone(), rule_book, stop.clone()),
        live,
        queue: Queue::new(nats.clone(), confirmations),
        settings,
        metrics: metrics::begin(),
        nats,
        publisher,
        stop,
        requests: TaskTracker::new(),
    });
    Ok((app, preparation))
}

/// The key ring, and the rule book, which shares its connections.
fn key_ring(settings: &ApiSettings, presence: Arc<Presence>) -> anyhow::Result<(KeyRing, RuleBook)> {
    let acquire_timeout = settings.database.acquire_timeout.min(KEY_ACQUIRE_TIMEOUT);
    let connections =
        DatabaseSettings { max_connections: settings.key_connections, acquire_timeout, ..settings.database.clone() };
    let pool = database::pool(&connections, "rollcall-api-keys", settings.key_timeout).context("DATABASE_URL")?;
    let timeout = acquire_timeout + settings.key_timeout + ROUND_TRIP_TIME;
    let rule_book = RuleBook::new(pool.clone(), timeout);
    let look_ups = LookUps::new(pool, presence, timeout, settings.rates.unknown_keys_per_second_per_address);
    let sessions = Sessions::new(look_ups.clone(), settings.exposure.has_dashboard());
    Ok((KeyRing::new(look_ups, sessions, settings.event_types_per_project, settings.api_key.as_ref()), rule_book))
}

fn administration_pool(settings: &ApiSettings) -> anyhow::Result<PgPool> {
    let connections = DatabaseSettings { max_connections: ADMINISTRATION_CONNECTIONS, ..settings.database.clone() };
    database::pool(&connections, "rollcall-api-admin", settings.read_timeout).context("DATABASE_URL")
}

impl Preparation {
    /// Waits for the servers, brings schema and streams up to date if the settings say so, and checks that
    /// the API can use them.
    ///
    /// # Errors
    /// Only if waiting cannot help: a migration fails, or NATS refuses the user or is too old.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        tokio::try_join!(self.prepare_database(), prepare_queue(&self.settings))?;
        tracing::info!("api is ready");
        Ok(())
    }

    async fn prepare_database(&self) -> anyhow::Result<()> {
        let settings = &self.settings.database;
        if settings.migrate_on_start {
            migrate(settings).await?;
        }
        let backoff = backoff::endless(backoff::MAX_SERVER_DELAY);
        let warn = |error: &ApiError, _| {
            tracing::warn!(error = error as &dyn std::error::Error, "PostgreSQL or its schema is not there yet; trying again");
        };
        let read = || self.keys.read_default_project();
        read.retry(backoff).when(|error| !matches!(error, ApiError::Internal(_))).notify(warn).await?;
        database::wait_until_migrated(&self.pool).await;
        self.schema.set_ready();
        Ok(())
    }
}

/// Brings the schema up to date, however often PostgreSQL goes away meanwhile.
async fn migrate(settings: &DatabaseSettings) -> anyhow::Result<()> {
    // Migrations may run, and wait for locks, without a limit.
    let pool = database::pool(settings, "rollcall-api", Duration::ZERO).context("DATABASE_URL")?;
    database::migrate_when_reachable(&pool).await.context("the schema cannot be brought up to date")?;
    pool.close().await;
    Ok(())
}

async fn prepare_queue(settings: &ApiSettings) -> anyhow::Result<()> {
    if settings.database.migrate_on_start {
        stream::ensure_as_admin(&settings.nats).await?;
    }
    // The API's own client would retry for ever if the server refuses the user.
    connect::connect(&settings.nats.access, Role::Api).await?;
    Ok(())
}
