//! The queue: how the API and the workers reach NATS, and the messages that they exchange.
//!
//! [`connect`] opens connections, [`stream`] defines the streams and the consumers, and [`subject`] the subjects of
//! messages, which depend on their [`priority`]. A message of accepted events carries a [`chunk`]. A [`dead_letter`]
//! is an event or message that could not be stored.
//! [`access`] says where the servers are and who connects, [`connect`] opens connections, [`stream`] defines the streams and the consumer, and [`subject`] the subjects of
//! messages. A message of accepted events carries a [`chunk`]. A [`dead_letter`] is an event or message that could
//! not be stored. A [`notice`] tells the replicas of the API that something which they cache has changed.

pub mod access;
pub mod chunk;
pub mod connect;
pub mod dead_letter;
pub mod notice;
pub mod priority;
pub mod stream;
pub mod subject;

use async_nats::{ConnectError, jetstream};

use self::stream::{DLQ_STREAM, STREAM};

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The URL is not a URL of NATS.
    #[error("NATS_URL or NATS_ADMIN_URL is not of the form nats://user:password@host:port")]
    Url(#[source] std::io::Error),
    /// The credentials cannot be read.
    #[error("NATS_CREDS or NATS_ADMIN_CREDS is not the content of a credentials file")]
    Credentials(#[source] std::io::Error),
    /// No connection.
    #[error("cannot connect to nats-server at {servers}")]
    Connect {
        /// Host and port of each server.
        servers: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The server is so old that it acknowledges messages before they are on disk.
    #[error("nats-server {found} is too old: it cannot sync before it acknowledges; 2.10 or newer is needed")]
    TooOld {
        /// The version it reports.
        found: String,
    },
    /// A stream cannot be created or updated.
    #[error("cannot create or update the streams {STREAM} and {DLQ_STREAM}")]
    Stream(#[from] jetstream::context::CreateStreamError),
    /// A consumer cannot be created or updated.
    #[error("cannot create or update the consumers of the stream {STREAM}")]
    Consumer(#[from] jetstream::stream::ConsumerError),
}
