//! The HTTP server: which connections are served, and for how long.
//!
//! It speaks HTTP/1.1. A connection that waits for the head of a request is closed after the header
//! timeout, and so is one whose client takes nothing of an answer for [`WRITE_TIMEOUT`]. If as many
//! connections are open as may be, a new client takes the place of the one that has waited longest
//! for its client; if all have requests under way, the new client gets 503.
//!
//! What a request is answered with is the router's business, and how long a body may take is that of
//! `ingest`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use self::waiting::{Connection, Waiting};
use crate::settings::ConnectionLimits;

mod waiting;

/// Most bytes of the head of a request. Browsers and proxies stay below 16 KiB; past it the answer is
/// 431. It also bounds what is read of a body at once.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// A client that takes no byte of an answer for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers under way get this much time to be sent once the server closes.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, most likely because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a client without a place is told. Its request has not been read.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-type: application/problem+json\r\n\
     content-length: 192\r\n\r\n\
     {\"type\":\"urn:rollcall:problem:overloaded\",\"title\":\"Service Unavailable\",\"status\":503,\
     \"code\":\"overloaded\",\"detail\":\"too many connections; try again\",\"message\":\"too many connections; try again\"}";

/// A server that does not run yet.
pub(crate) struct Server {
    listener: TcpListener,
    router: Router,
    http: http1::Builder,
    places: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    closing: CancellationToken,
}

impl Server {
    pub(crate) fn new(listener: TcpListener, router: Router, limits: ConnectionLimits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(MAX_HEAD_BYTES);
        let places = Arc::new(Semaphore::new(limits.max_connections));
        Self { listener, router, http, places, waiting: Arc::default(), closing: CancellationToken::new() }
    }

    /// Serves until `closed`. What is then half sent is finished, if that takes no longer than a second.
    pub(crate) async fn run(self, closed: impl Future<Output = ()>) {
        let mut closed = std::pin::pin!(closed);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = &mut closed => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => match self.place().await {
                    Some(place) => drop(connections.spawn(self.connection(stream, place))),
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

    /// A place for a new connection, at the cost of one that only waits if there is no other.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        if !self.waiting.close_oldest() {
            counter!("rollcall_connections_refused_total").increment(1);
            return None;
        }
        counter!("rollcall_connections_displaced_total").increment(1);
        // The connection that was told to close does so at once.
        self.places.clone().acquire_owned().await.ok()
    }

    fn connection(&self, stream: TcpStream, place: OwnedSemaphorePermit) -> impl Future<Output = ()> + Send + 'static {
        let connection = Arc::new(Connection::open(self.waiting.clone()));
        let (router, http, closing) = (TowerToHyperService::new(self.router.clone()), self.http.clone(), self.closing.clone());
        async move {
            let _place = place;
            let state = connection.clone();
            let service = service_fn(move |request| {
                let begun = state.begin_request().then(|| router.call(request));
                let state = state.clone();
                async move {
                    let Some(answer) = begun else { return Err(io::Error::other("the connection is closed for another")) };
                    let Ok(answer) = answer.await;
                    state.end_request();
                    Ok(answer)
                }
            });
            // Answers are written whole, so waiting for more to send along only delays them.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_TIMEOUT));
            let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
            // How a connection ends is its client's affair.
            tokio::select! {
                biased;
                () = connection.closed() => {}
                _ = serving.as_mut() => {}
                () = closing.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ = serving.await;
                }
            }
        }
    }
}

/// Whether the client went away before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Sends a client away. Nothing waits for it: what does not fit into its empty buffer is not sent.
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
