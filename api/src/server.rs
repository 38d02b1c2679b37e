//! The HTTP server: which connections are served, and for how long.
//!
//! A connection is closed if the head of a request, or a TLS handshake, does not arrive within the header timeout, or if
//! the client takes nothing of an answer for [`WRITE_TIMEOUT`]. When the limit of open connections
//! is reached, a new connection displaces the one that has waited longest for its client. If all of them are
//! processing requests, the new client gets 503. A connection in the middle of its handshake waits for its client too,
//! so clients that never finish theirs only displace each other.
//!
//! `connection` serves one connection with the certificate of `tls`; `streams` watches the answers of HTTP/2. The router
//! answers requests, and `ingest` decides how long a body may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::{Protocols, Visit};
pub(crate) use self::tls::Tls;
pub use self::tls::TlsFiles;
use self::waiting::{Connection, Waiting};
use crate::settings::ConnectionLimits;
use crate::under_way::ConnectionPlace;

mod connection;
mod streams;
mod tls;
mod waiting;

/// A client that accepts no byte of an answer for this long is considered gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// When the server stops, answers that are being sent get this much time.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, most likely because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The answer to a client that exceeds the limit of connections. Its request has not been read.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-type: application/problem+json\r\n\
     content-length: 192\r\n\r\n\
     {\"type\":\"urn:rollcall:problem:overloaded\",\"title\":\"Service Unavailable\",\"status\":503,\
     \"code\":\"overloaded\",\"detail\":\"too many connections; try again\",\"message\":\"too many connections; try again\"}";

/// The server, before it runs.
pub(crate) struct Server {
    listener: TcpListener,
    protocols: Protocols,
    /// One permit for each connection that may be open.
    places: Arc<Semaphore>,
    /// Connections that may be closed for a new one.
    waiting: Arc<Waiting>,
    /// Cancelled when the server stops; connections then finish their current request.
    closing: CancellationToken,
}

impl Server {
    pub(crate) fn new(listener: TcpListener, router: Router, limits: ConnectionLimits, tls: Option<Arc<Tls>>) -> Self {
        let places = Arc::new(Semaphore::new(limits.max_connections));
        let protocols = Protocols::new(router, tls, limits);
        Self { listener, protocols, places, waiting: Arc::default(), closing: CancellationToken::new() }
    }

    /// Serves until `closed` completes. Answers that are being sent then have another second to finish.
    pub(crate) async fn run(self, closed: impl Future<Output = ()>) {
        let mut closed = std::pin::pin!(closed);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = &mut closed => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection ended in a panic");
                    }
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match self.place().await {
                    Some(place) => {
                        let visit = Visit {
                            connection: Arc::new(Connection::open(self.waiting.clone())),
                            place: ConnectionPlace::new(place),
                            peer: peer.ip(),
                            closing: self.closing.clone(),
                        };
                        connections.spawn(self.protocols.clone().serve(stream, visit));
                    }
                    // A client that expects TLS would not understand the answer.
                    None if self.protocols.has_tls() => {}
                    None => refuse(stream),
                },
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection cannot be accepted");
                    self.waiting.close_oldest();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        self.closing.cancel();
        let flushed = async { while connections.join_next().await.is_some() {} };
        // Connections that are still open end with the set.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, flushed).await;
    }

    /// A permit for a new connection. If none is free, the connection that has waited longest for its client is
    /// closed.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        if !self.waiting.close_oldest() {
            counter!("rollcall_connections_refused_total").increment(1);
            return None;
        }
        counter!("rollcall_connections_displaced_total").increment(1);
        // The closed connection returns its permit at once.
        self.places.clone().acquire_owned().await.ok()
    }
}

/// Whether the client went away before its connection was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers 503 without waiting for the client. What does not fit into the socket's buffer is not sent.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = io::Write::write(&mut stream, NO_PLACE.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_has_the_length_that_it_names() {
        let (head, body) = NO_PLACE.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
