//! The settings of the API.

use std::net::SocketAddr;
use std::time::Duration;

use rollcall_shared::database::DatabaseSettings;
use rollcall_shared::project::EventTypeLimit;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::settings::{Environment, ListenAddress, Secret};

use crate::client_address::ProxySettings;
use crate::cors::CorsSettings;
use crate::exposure::ExposureSettings;
use crate::server::TlsFiles;

pub use self::limits::LimitSettings;

mod limits;

/// All settings of the API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Address on which the API listens.
    pub listen: SocketAddr,
    /// The key of the installation. It has all scopes on the project `default`, and governs all projects.
    pub api_key: Option<Secret>,
    /// Limits of connections.
    pub connections: ConnectionLimits,
    /// The certificate, if the API itself speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The web pages that may call the API.
    pub cors: CorsSettings,
    /// Who may use which part.
    pub exposure: ExposureSettings,
    /// The proxies in front of the API.
    pub proxies: ProxySettings,
    /// Limits of one request.
    pub limits: RequestLimits,
    /// Limits of keys and projects.
    pub rates: LimitSettings,
    /// Event types of a project that has no limit of its own.
    pub event_types_per_project: EventTypeLimit,
    /// Bytes of events that all requests together may hold in memory.
    pub ingest_memory_bytes: usize,
    /// How long a large body waits for others to make room for it.
    pub ingest_wait_timeout: Duration,
    /// Minimum average rate of a large body in bytes per second.
    pub min_body_bytes_per_second: u64,
    /// How many events of small requests have normal priority.
    pub allowance: AllowanceSettings,
    /// How long a request waits for the queue to confirm its chunks.
    pub publish_deadline: Duration,
    /// How long one query may take in PostgreSQL.
    pub read_timeout: Duration,
    /// Number of queries of one project that PostgreSQL runs at a time. It is always lower than
    /// `DATABASE_MAX_CONNECTIONS`, so that one connection stays free.
    pub questions_per_project: usize,
    /// Connections that look up keys and do nothing else, in addition to `DATABASE_MAX_CONNECTIONS`.
    pub key_connections: u32,
    /// How long PostgreSQL may take to look up a key; after that the request gets 503.
    pub key_timeout: Duration,
    /// Settings of GraphQL.
    pub graphql: GraphQlSettings,
    /// Limits of readers of live events.
    pub live: LiveSettings,
    /// PostgreSQL.
    pub database: DatabaseSettings,
    /// NATS.
    pub nats: NatsSettings,
}

/// Settings of GraphQL.
#[derive(Debug, Clone, Copy)]
pub struct GraphQlSettings {
    /// Whether clients may ask for the schema.
    pub introspection: bool,
    /// Whether `GET /graphql` is a page on which people can try queries.
    pub graphiql: bool,
}

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections that are open at once.
    pub max_connections: usize,
    /// How long a connection may wait for the head of a request.
    pub header_timeout: Duration,
}

/// How many events of small requests a project may send, on one API, before they travel as bulk.
#[derive(Debug, Clone, Copy)]
pub struct AllowanceSettings {
    /// Events at once.
    pub burst_events: u32,
    /// Events per second.
    pub events_per_second: u32,
}

/// Settings of live events.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Maximum number of readers at a time. It is never more than half of the connections.
    pub max_readers: usize,
    /// Maximum number of readers with the same key at a time.
    pub max_readers_per_key: usize,
    /// Maximum number of readers of the same project at a time.
    pub max_readers_per_project: usize,
    /// Interval between two comments on a connection on which nothing else is sent.
    pub heartbeat: Duration,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Maximum number of events in a batch.
    pub max_events: usize,
    /// Maximum size of the body in bytes after decompression.
    pub max_body_bytes: usize,
}

impl ApiSettings {
    /// Reads every variable of the API.
    pub fn from_env(environment: &mut Environment) -> Self {
        let listen = ListenAddress(SocketAddr::from(([127, 0, 0, 1], 8000)));
        Self {
            listen: environment.read("API_LISTEN", listen, "address or host name and port of the API").0,
            api_key: environment.read_optional_secret(
                "API_KEY",
                "the key of the installation: all scopes on the project default, and all projects to govern; none when empty",
            ),
            connections: ConnectionLimits::from_env(environment),
            tls: TlsFiles::from_env(environment),
            cors: CorsSettings::from_env(environment),
            exposure: ExposureSettings::from_env(environment),
            proxies: ProxySettings::from_env(environment),
            limits: RequestLimits::from_env(environment),
            rates: LimitSettings::from_env(environment),
            event_types_per_project: EventTypeLimit::from_env(environment),
            ingest_memory_bytes: environment.read_in(
                "INGEST_MEMORY_BYTES",
                128 << 20,
                1 << 20..=1 << 36,
                "bytes of events that all requests together hold in memory; past it they wait, then get 503",
            ) as usize,
            ingest_wait_timeout: Duration::from_millis(environment.read_in(
                "INGEST_WAIT_TIMEOUT_MS",
                30_000,
                0..=600_000,
                "milliseconds a body over 256 KiB waits for room before it gets 503, and may hold it while others wait",
            )),
            min_body_bytes_per_second: environment.read_in(
                "MIN_BODY_BYTES_PER_SECOND",
                64 << 10,
                1..=1 << 30,
                "bytes per second that a body over 256 KiB must arrive at, after 10 seconds, or it gets 408",
            ),
            allowance: AllowanceSettings::from_env(environment),
            publish_deadline: Duration::from_millis(environment.read_in(
                "PUBLISH_DEADLINE_MS",
                10_000,
                100..=60_000,
                "milliseconds a request waits for the queue to confirm its events before it answers 503",
            )),
            read_timeout: Duration::from_millis(environment.read_in(
                "READ_TIMEOUT_MS",
                30_000,
                100..=600_000,
                "milliseconds one query may take in PostgreSQL",
            )),
            questions_per_project: environment.read_in(
                "QUESTIONS_PER_PROJECT",
                4,
                1..=1000,
                "queries of one project that PostgreSQL runs at a time, always fewer than DATABASE_MAX_CONNECTIONS; \
                 further ones wait, then get 429",
            ) as usize,
            key_connections: environment.read_in(
                "KEY_CONNECTIONS",
                2,
                1..=100,
                "PostgreSQL connections of one API for looking up keys, in addition to DATABASE_MAX_CONNECTIONS",
            ) as u32,
            key_timeout: Duration::from_millis(environment.read_in(
                "KEY_TIMEOUT_MS",
                1_000,
                10..=4_000,
                "milliseconds the look-up of a key may take in PostgreSQL",
            )),
            graphql: GraphQlSettings::from_env(environment),
            live: LiveSettings::from_env(environment),
            database: DatabaseSettings::from_env(environment),
            nats: NatsSettings::from_env(environment),
        }
    }
}

impl AllowanceSettings {
    fn from_env(environment: &mut Environment) -> Self {
        Self {
            burst_events: environment.read_in(
                "BULK_BURST_EVENTS",
                20_000,
                0..=1_000_000_000,
                "events that a project may send at once in small requests before they travel as bulk, \
                 which workers store after other events",
            ) as u32,
            events_per_second: environment.read_in(
                "BULK_EVENTS_PER_SECOND",
                2_000,
                0..=1_000_000_000,
                "events per second that a project may send in small requests before they travel as bulk",
            ) as u32,
        }
    }
}

impl GraphQlSettings {
    fn from_env(environment: &mut Environment) -> Self {
        Self {
            introspection: environment.read("GRAPHQL_INTROSPECTION", true, "whether clients of /graphql may query its schema"),
            graphiql: environment.read(
                "GRAPHQL_GRAPHIQL",
                true,
                "whether GET /graphql shows browsers a page on which people can try queries",
            ),
        }
    }
}

impl ConnectionLimits {
    fn from_env(environment: &mut Environment) -> Self {
        Self {
            // Most systems let a process open 1,024 files; PostgreSQL and NATS need some of them.
            max_connections: environment.read_in(
                "API_MAX_CONNECTIONS",
                768,
                1..=1_000_000,
                "connections open at once; past it idle ones are closed for new ones, and then those get 503",
            ) as usize,
            header_timeout: Duration::from_millis(environment.read_in(
                "API_HEADER_TIMEOUT_MS",
                30_000,
                100..=600_000,
                "milliseconds a connection waits for the head of its next request before it is closed",
            )),
        }
    }
}

impl RequestLimits {
    fn from_env(environment: &mut Environment) -> Self {
        Self {
            max_events: environment.read_in("MAX_EVENTS_PER_REQUEST", 100_000, 1..=1_000_000, "events in one request") as usize,
            max_body_bytes: environment.read_in(
                "MAX_BODY_BYTES",
                64 << 20,
                1 << 10..=1 << 30,
                "bytes of one request after decompression",
            ) as usize,
        }
    }
}

impl LiveSettings {
    fn from_env(environment: &mut Environment) -> Self {
        Self {
            max_readers: environment.read_in(
                "LIVE_MAX_READERS",
                1_000,
                1..=1_000_000,
                "readers of live events at a time, at most half of API_MAX_CONNECTIONS; past it they get 503",
            ) as usize,
            max_readers_per_key: environment.read_in(
                "LIVE_MAX_READERS_PER_KEY",
                100,
                1..=1_000_000,
                "readers of live events with the same key at a time; past it they get 429",
            ) as usize,
            max_readers_per_project: environment.read_in(
                "LIVE_MAX_READERS_PER_PROJECT",
                200,
                1..=1_000_000,
                "readers of live events of the same project at a time; past it they get 429",
            ) as usize,
            heartbeat: Duration::from_millis(environment.read_in(
                "LIVE_HEARTBEAT_MS",
                15_000,
                100..=600_000,
                "milliseconds between two comments that keep the connection of a reader in use",
            )),
        }
    }
}
