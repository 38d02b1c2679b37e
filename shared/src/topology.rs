//! The queue: how to reach NATS, which stream holds the chunks, which consumer shares them out.
//!
//! Stream and consumer are made or updated here and nowhere else, so that every replica agrees.
//! The API only publishes to [`subject`]; workers only pull from [`CONSUMER`].

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use backon::{ExponentialBuilder, Retryable};

use crate::project::ProjectId;
use crate::settings::{Environment, Secret};

/// The stream that holds accepted events until they are stored.
pub const STREAM: &str = "EVENTS";
/// The durable pull consumer that all workers share: JetStream's queue group.
pub const CONSUMER: &str = "workers";
/// Every subject of the stream.
const SUBJECTS: &str = "events.ingest.*";
/// The stream that holds dead letters.
pub const DLQ_STREAM: &str = "EVENTS_DLQ";
/// Every subject of the dead letters.
const DLQ_SUBJECTS: &str = "events.dlq.>";

/// Oldest server that can fsync before it acknowledges (`sync_interval: always`).
const OLDEST_SERVER: (u32, u32) = (2, 10);

/// Unacknowledged deliveries over all workers: two full pulls for each of a hundred workers, and
/// room for delayed redeliveries.
const MAX_ACK_PENDING: i64 = 5_000;

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// Where, and as whom, this process works: `nats://user:password@host:port`, several by comma.
    pub url: Secret,
    /// Where, and as whom, stream and consumer are made.
    pub admin_url: Secret,
    /// Size limit of the stream in bytes; past it the API answers 503.
    pub events_max_bytes: u64,
    /// Size limit of the dead letters in bytes; past it, what fails stays among the accepted events.
    pub dlq_max_bytes: u64,
    /// Copies of every message in a cluster.
    pub stream_replicas: usize,
    /// A delivery that is neither acknowledged nor reported in progress for this long goes to another
    /// worker. Longer than any batch takes: shorter means that a slow disk causes double work.
    pub ack_wait: Duration,
}

impl NatsSettings {
    /// Reads `NATS_URL`, `NATS_ADMIN_URL`, `EVENTS_MAX_BYTES`, `DLQ_MAX_BYTES`, `STREAM_REPLICAS` and
    /// `ACK_WAIT_MS`.
    pub fn from_env(environment: &mut Environment) -> Self {
        let url = environment.read_url(
            "NATS_URL",
            "nats://127.0.0.1:4222",
            "nats-server, as nats://user:password@host:port; several by comma",
            check_url,
        );
        let admin_url = environment.read_optional_url(
            "NATS_ADMIN_URL",
            "as NATS_URL, of a user who may make stream and consumer, as nats://user:password@host:port; NATS_URL when empty",
            check_url,
        );
        Self {
            admin_url: admin_url.unwrap_or_else(|| url.clone()),
            url,
            events_max_bytes: environment.read_in(
                "EVENTS_MAX_BYTES",
                4 << 30,
                1 << 20..=1 << 50,
                "size limit in bytes of the stream of accepted events; past it the API answers 503",
            ),
            dlq_max_bytes: environment.read_in(
                "DLQ_MAX_BYTES",
                1 << 30,
                1 << 20..=1 << 50,
                "size limit in bytes of the stream of dead letters; past it events that fail stay in the other",
            ),
            ack_wait: Duration::from_millis(environment.read_in(
                "ACK_WAIT_MS",
                30_000,
                1_000..=600_000,
                "milliseconds after which what a vanished worker had taken goes to another",
            )),
            stream_replicas: environment.read_in("STREAM_REPLICAS", 1, 1..=5, "copies of every message in a NATS cluster")
                as usize,
        }
    }
}

/// Who connects: NATS permissions are given by role, and so is the inbox for replies.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// Publishes events.
    Api,
    /// Pulls and acknowledges them.
    Worker,
    /// Makes stream and consumer.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }
}

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The URL is not one of NATS.
    #[error("NATS_URL or NATS_ADMIN_URL is not of the form nats://user:password@host:port")]
    Url(#[source] std::io::Error),
    /// No connection.
    #[error("cannot connect to nats-server at {servers}")]
    Connect {
        /// Host and port of each server.
        servers: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The server acknowledges messages that are not on disk.
    #[error("nats-server {found} is too old: it cannot sync before it acknowledges; 2.10 or newer is needed")]
    TooOld {
        /// The version it reports.
        found: String,
    },
    /// A stream cannot be made or updated.
    #[error("cannot make the streams {STREAM} and {DLQ_STREAM}")]
    Stream(#[from] jetstream::context::CreateStreamError),
    /// The consumer cannot be made or updated.
    #[error("cannot make the consumer {CONSUMER}")]
    Consumer(#[from] jetstream::stream::ConsumerError),
}

/// The subject on which the chunks of a project travel.
#[must_use]
pub fn subject(project: ProjectId) -> String {
    format!("events.ingest.{project}")
}

/// The project whose chunks travel on a subject.
#[must_use]
pub fn project_of(subject: &str) -> Option<ProjectId> {
    subject.strip_prefix("events.ingest.")?.parse().ok().map(ProjectId)
}

/// Waits for the server, connects, keeps the connection up for ever, and logs what becomes of it.
///
/// # Errors
/// [`TopologyError::Url`], [`TopologyError::TooOld`], or [`TopologyError::Connect`] where waiting
/// cannot help: the server refuses the user.
pub async fn connect(url: &Secret, role: Role) -> Result<Client, TopologyError> {
    let (addresses, options) = connect_options(url, role)?;
    let servers = hosts(&addresses);
    let connect = || options.clone().connect(&addresses);
    let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
    let warn = |error: &ConnectError, _| tracing::warn!(%error, servers, "nats-server does not answer yet; waiting for it");
    let client = connect.retry(backoff).when(|error| !is_refusal(error)).notify(warn).await;
    let client = client.map_err(|source| TopologyError::Connect { servers: servers.clone(), source })?;
    let found = client.server_info().version;
    if version(&found) < OLDEST_SERVER {
        return Err(TopologyError::TooOld { found });
    }
    Ok(client)
}

/// A client at once, which connects when the server is there. It does not judge the server: one that
/// refuses the user, or is too old, is found by [`connect`].
///
/// # Errors
/// [`TopologyError::Url`].
pub async fn connect_in_background(url: &Secret, role: Role) -> Result<Client, TopologyError> {
    let (addresses, options) = connect_options(url, role)?;
    let connected = options.retry_on_initial_connect().connect(&addresses).await;
    connected.map_err(|source| TopologyError::Connect { servers: hosts(&addresses), source })
}

/// Where the servers are, without who asks.
fn hosts(addresses: &[ServerAddr]) -> String {
    let hosts: Vec<String> = addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
    hosts.join(",")
}

fn connect_options(url: &Secret, role: Role) -> Result<(Vec<ServerAddr>, ConnectOptions), TopologyError> {
    let addresses = addresses(url.expose()).map_err(TopologyError::Url)?;
    let mut options = ConnectOptions::new()
        .name(format!("rollcall-{}", role.name()))
        .custom_inbox_prefix(format!("_INBOX_{}", role.name()))
        // Commands queue up while the connection is away; the default of 2048 chunks would be a
        // gigabyte of memory that a crash loses.
        .client_capacity(64)
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(|attempt| Duration::from_millis((50 << attempt.min(4)).min(800) as u64))
        .event_callback(move |event| async move { log_event(role, &event) });
    if let Some((user, password)) = addresses.iter().find_map(|address| Some((address.username()?, address.password()?))) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    Ok((addresses, options))
}

fn addresses(urls: &str) -> std::io::Result<Vec<ServerAddr>> {
    urls.split(',').map(|url| url.trim().parse()).collect()
}

fn check_url(urls: &str) -> Result<(), String> {
    // The error's text may repeat a part of the URL.
    addresses(urls).map(drop).map_err(|_| "is not one or more URLs that begin with nats:// or tls://".to_owned())
}

fn is_refusal(error: &ConnectError) -> bool {
    matches!(error.kind(), ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation)
}

/// Makes stream and consumer, or brings them to the settings.
///
/// # Errors
/// [`TopologyError::Stream`] or [`TopologyError::Consumer`].
pub async fn ensure(context: &Context, settings: &NatsSettings) -> Result<(), TopologyError> {
    context.create_or_update_stream(events_stream(settings)).await?;
    context.create_or_update_stream(dead_letter_stream(settings)).await?;
    let consumer = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        description: Some("shared by all workers".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.ack_wait,
        // Workers count attempts themselves: the server would only stop delivering.
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(consumer, STREAM).await?;
    Ok(())
}

fn events_stream(settings: &NatsSettings) -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec![SUBJECTS.to_owned()],
        // A message leaves when a worker acknowledged it: the stream holds what is not stored.
        retention: RetentionPolicy::WorkQueue,
        // Full is an error to the publisher; what was accepted is never pushed out.
        discard: DiscardPolicy::New,
        max_bytes: i64::try_from(settings.events_max_bytes).unwrap_or(i64::MAX),
        storage: StorageType::File,
        num_replicas: settings.stream_replicas,
        allow_direct: true,
        description: Some("events accepted by the API and not yet stored in PostgreSQL".to_owned()),
        ..Config::default()
    }
}

fn dead_letter_stream(settings: &NatsSettings) -> Config {
    Config {
        name: DLQ_STREAM.to_owned(),
        subjects: vec![DLQ_SUBJECTS.to_owned()],
        // Letters stay until somebody redrives or purges them.
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        // The subject is the identity: the second letter of one failure is refused.
        max_messages_per_subject: 1,
        discard_new_per_subject: true,
        max_bytes: i64::try_from(settings.dlq_max_bytes).unwrap_or(i64::MAX),
        storage: StorageType::File,
        num_replicas: settings.stream_replicas,
        allow_direct: true,
        description: Some("what could not be stored after its retries, with the reason".to_owned()),
        ..Config::default()
    }
}

/// [`ensure`] over a connection of its own, as the user who may.
///
/// # Errors
/// Those of [`connect`] and [`ensure`].
pub async fn ensure_as_admin(settings: &NatsSettings) -> Result<(), TopologyError> {
    let client = connect(&settings.admin_url, Role::Admin).await?;
    ensure(&jetstream::new(client), settings).await
}

/// Whether the connection is up at this moment.
#[must_use]
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

fn log_event(role: Role, event: &Event) {
    let role = role.name();
    match event {
        Event::Connected => tracing::info!(role, "connected to nats-server"),
        Event::Disconnected => tracing::warn!(role, "lost the connection to nats-server; reconnecting"),
        // A denied publish shows only here and as a timeout.
        Event::ServerError(error) => tracing::error!(role, %error, "nats-server refused something"),
        other => tracing::info!(role, event = %other, "nats connection"),
    }
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("2.9.10") < OLDEST_SERVER);
        assert!(version("2.10.0-beta") >= OLDEST_SERVER);
        assert!(version("2.15.1") >= OLDEST_SERVER);
    }

    #[test]
    fn a_url_of_something_else_is_refused_without_its_password() {
        for name in ["NATS_URL", "NATS_ADMIN_URL"] {
            let mut environment = Environment::from_pairs([(name, "nats://fine:4222,http://user:hush@host:80")]);
            NatsSettings::from_env(&mut environment);
            let message = environment.finish().unwrap_err().to_string();
            assert!(message.starts_with(name) && message.contains("nats://user:password@host:port"), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn a_subject_names_its_project() {
        assert_eq!(project_of(&subject(ProjectId(7))), Some(ProjectId(7)));
        assert_eq!(project_of("events.ingest.x"), None);
    }
}
