//! Connections to NATS: the settings, who connects, and what a connection logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use backon::Retryable;

use super::QueueError;
use crate::backoff;
use crate::settings::{Environment, Secret};

/// Oldest server that can fsync before it acknowledges (`sync_interval: always`).
const OLDEST_SERVER: (i64, i64) = (2, 10);

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// The servers and the user of this process, as `nats://user:password@host:port`, separated by commas.
    pub url: Secret,
    /// The same servers with the user who may create the streams and the consumer.
    pub admin_url: Secret,
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
    /// Reads `NATS_URL`, `NATS_ADMIN_URL`, `EVENTS_MAX_BYTES`, `DLQ_MAX_BYTES`, `STREAM_REPLICAS` and
    /// `ACK_WAIT_MS`.
    pub fn from_env(environment: &mut Environment) -> Self {
        let url = environment.read_url(
            "NATS_URL",
            "nats://127.0.0.1:4222",
            "nats-server, as nats://user:password@host:port; separate several servers with commas",
            check_url,
        );
        let admin_url = environment.read_optional_url(
            "NATS_ADMIN_URL",
            "like NATS_URL, with a user who may create the streams and the consumers, as nats://user:password@host:port; NATS_URL when empty",
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
/// [`QueueError::Url`], [`QueueError::TooOld`], or [`QueueError::Connect`] where waiting
/// cannot help: the server refuses the user.
pub async fn connect(url: &Secret, role: Role) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(url, role)?;
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
/// [`QueueError::Url`].
pub async fn connect_in_background(url: &Secret, role: Role) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(url, role)?;
    let connected = options.retry_on_initial_connect().connect(&addresses).await;
    connected.map_err(|source| QueueError::Connect { servers: hosts(&addresses), source })
}

/// Like [`connect_in_background`], but for subscriptions whose reader may be too slow: each subscription
/// buffers up to `capacity` messages. The client drops further messages and counts them in `drops`.
///
/// # Errors
/// [`QueueError::Url`].
pub async fn connect_to_listen(url: &Secret, role: Role, capacity: usize, drops: Arc<AtomicU64>) -> Result<Client, QueueError> {
    let (addresses, options) = connect_options(url, role)?;
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

fn connect_options(url: &Secret, role: Role) -> Result<(Vec<ServerAddr>, ConnectOptions), QueueError> {
    let addresses = addresses(url.expose()).map_err(QueueError::Url)?;
    let name: &str = role.into();
    let mut options = ConnectOptions::new()
        .name(format!("rollcall-{name}"))
        .custom_inbox_prefix(inbox_prefix(role))
        // Commands queue up while there is no connection. With the default capacity of 2048 these could
        // be a gigabyte of chunks, which a crash would lose.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
