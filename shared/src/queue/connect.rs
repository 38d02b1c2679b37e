//! Connections to NATS: the settings, the roles, and what a connection logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use backon::Retryable;

use super::QueueError;
use super::access::NatsAccess;
use crate::backoff;
use crate::settings::Environment;

/// Oldest server that can fsync before it acknowledges (`sync_interval: always`).
const OLDEST_SERVER: (i64, i64) = (2, 10);

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// The servers, with the user of this process.
    pub access: NatsAccess,
    /// The same servers with the user who may create the streams and the consumer.
    pub admin_access: NatsAccess,
    /// Size limit of the stream in bytes. When it is reached, the API answers 503.
    pub events_max_bytes: u64,
    /// Size limit of the dead letters in bytes. When it is reached, events that fail stay in the stream of
    /// accepted events.
    pub dlq_max_bytes: u64,
    /// Copies of every message in a cluster.
    pub stream_replicas: usize,
    /// After this long without an acknowledgement or a report of progress, a message is delivered to
    /// another worker. It must exceed the time of any batch, or a slow disk causes double work.
    pub ack_wait: Duration,
}

impl NatsSettings {
    /// Reads the variables of [`NatsAccess`], `EVENTS_MAX_BYTES`, `DLQ_MAX_BYTES`, `STREAM_REPLICAS` and
    /// `ACK_WAIT_MS`.
    pub fn from_env(environment: &mut Environment) -> Self {
        let (access, admin_access) = NatsAccess::from_env(environment);
        Self {
            access,
            admin_access,
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
                "size limit in bytes of the stream of dead letters; past it events that fail stay in the other stream",
            ),
            ack_wait: Duration::from_millis(environment.read_in(
                "ACK_WAIT_MS",
                30_000,
                1_000..=600_000,
                "milliseconds after which another worker gets the messages that a vanished worker had taken",
            )),
            stream_replicas: environment.read_in("STREAM_REPLICAS", 1, 1..=5, "copies of every message in a NATS cluster")
                as usize,
        }
    }
}

/// Who connects. Each role has its own permissions in NATS and its own inbox for replies.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Publishes events.
    Api,
    /// Pulls and acknowledges them.
    Worker,
    /// Creates the streams and the consumer.
    Admin,
}

/// Waits for the server and connects. The client reconnects whenever it loses the connection, and logs
/// that.
///
/// # Errors
/// [`QueueError::Url`], [`QueueError::Credentials`], [`QueueError::TooOld`], or [`QueueError::Connect`] where waiting
/// cannot help: the server refuses the user.
pub async fn connect(access: &NatsAccess, role: Role) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(access, role)?;
    let servers = hosts(&addresses);
    let connect = || options.clone().connect(&addresses);
    let backoff = backoff::endless(backoff::MAX_SERVER_DELAY);
    let warn = |error: &ConnectError, _| tracing::warn!(%error, servers, "nats-server does not answer yet; waiting for it");
    let client = connect.retry(backoff).when(|error| !is_refusal(error)).notify(warn).await;
    let client = client.map_err(|source| QueueError::Connect { servers: servers.clone(), source })?;
    let (major, minor) = OLDEST_SERVER;
    if !client.is_server_compatible(major, minor, 0) {
        return Err(QueueError::TooOld { found: client.server_info().version });
    }
    Ok(client)
}

/// Returns a client at once, which connects as soon as the server is there. Only [`connect`] notices that
/// the server refuses the user or is too old.
///
/// # Errors
/// [`QueueError::Url`] or [`QueueError::Credentials`].
pub async fn connect_in_background(access: &NatsAccess, role: Role) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(access, role)?;
    let connected = options.retry_on_initial_connect().connect(&addresses).await;
    connected.map_err(|source| QueueError::Connect { servers: hosts(&addresses), source })
}

/// Like [`connect_in_background`], but for subscriptions whose reader may be too slow: each subscription
/// buffers up to `capacity` messages. The client drops further messages and counts them in `drops`.
///
/// # Errors
/// [`QueueError::Url`] or [`QueueError::Credentials`].
pub async fn connect_to_listen(
    access: &NatsAccess,
    role: Role,
    capacity: usize,
    drops: Arc<AtomicU64>,
) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(access, role)?;
    let callback = move |event| {
        let is_drop = matches!(event, Event::SlowConsumer(_));
        drops.fetch_add(u64::from(is_drop), Ordering::Relaxed);
        async move {
            if !is_drop {
                log_event(role, &event);
            }
        }
    };
    let options = options.subscription_capacity(capacity).event_callback(callback).retry_on_initial_connect();
    let connected = options.connect(&addresses).await;
    connected.map_err(|source| QueueError::Connect { servers: hosts(&addresses), source })
}

/// The subjects on which all clients of a role get replies.
#[must_use]
pub fn inboxes_of(role: Role) -> String {
    format!("{}.>", inbox_prefix(role))
}

fn inbox_prefix(role: Role) -> String {
    format!("_INBOX_{}", <&str>::from(role))
}

/// Host and port of each server, without the user and the password.
fn hosts(addresses: &[ServerAddr]) -> String {
    let hosts: Vec<String> = addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
    hosts.join(",")
}

fn connect_options(access: &NatsAccess, role: Role) -> Result<(Vec<ServerAddr>, ConnectOptions), QueueError> {
    let (addresses, options) = access.options()?;
    let name: &str = role.into();
    let options = options
        .name(format!("rollcall-{name}"))
        .custom_inbox_prefix(inbox_prefix(role))
        // Commands queue up while there is no connection. With the default capacity of 2048 these could
        // be a gigabyte of chunks, which a crash would lose.
        .client_capacity(64)
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(|attempt| Duration::from_millis((50 << attempt.min(4)).min(800) as u64))
        .event_callback(move |event| async move { log_event(role, &event) });
    Ok((addresses, options))
}

fn is_refusal(error: &ConnectError) -> bool {
    matches!(error.kind(), ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation)
}

/// Whether the connection is up at this moment.
#[must_use]
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

fn log_event(role: Role, event: &Event) {
    let role: &str = role.into();
    match event {
        Event::Connected => tracing::info!(role, "connected to nats-server"),
        Event::Disconnected => tracing::warn!(role, "lost the connection to nats-server; reconnecting"),
        // The only other sign of a publish that the server denied is a timeout.
        Event::ServerError(error) => tracing::error!(role, %error, "nats-server refused something"),
        other => tracing::info!(role, event = %other, "nats connection"),
    }
}
