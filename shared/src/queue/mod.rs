//! The queue: how API and workers reach NATS, and what travels there.
//!
//! [`connect`] opens connections; [`stream`] defines the streams and the consumer; [`subject`] says
//! how they are addressed. A [`chunk`] is what a message carries; a [`dead_letter`] is a message that
//! could not be stored.

pub mod chunk;
pub mod connect;
pub mod dead_letter;
pub mod stream;
pub mod subject;

use async_nats::{ConnectError, jetstream};

use self::stream::{CONSUMER, DLQ_STREAM, STREAM};

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
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
