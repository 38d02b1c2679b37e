//! The HTTP server: which connections are served, and for how long.
//!
//! The server speaks HTTP/1.1. It closes a connection if the head of a request does not arrive within the header
//! timeout, or if the client takes nothing of an answer for [`WRITE_TIMEOUT`]. When the limit of open connections
//! is reached, a new connection displaces the one that has waited longest for its client. If all of them are
//! processing requests, the new client gets 503.
//!
//! The router answers requests, and `ingest` decides how long a body may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::StreamExt;
use hyper::Request;
use hyper::body::Incoming;
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
use crate::client_address::Peer;
use crate::settings::ConnectionLimits;
use crate::under_way::{ConnectionPlace, UnderWay};

mod waiting;

/// Most bytes of the head of a request. Browsers and proxies stay below 16 KiB. A larger head is answered with
/// 431. This also limits how much of a body is read at once.
const MAX_HEAD_BYTES: usize = 64 * 1024;
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

    /// Serves until `closed` completes. Answers that are being sent then have another second to finish.
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
                Ok((stream, peer)) => match self.place().await {
                    Some(place) => {
                        let peer = Peer(peer.ip());
                        drop(connections.spawn(self.connection(stream, peer, place)));
                    }
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

    fn connection(
        &self,
        stream: TcpStream,
        peer: Peer,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let connection = Arc::new(Connection::open(self.waiting.clone()));
        let (router, http, closing) = (TowerToHyperService::new(self.router.clone()), self.http.clone(), self.closing.clone());
        async move {
            let place = ConnectionPlace::new(place);
            let state = connection.clone();
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(place.clone());
                request.extensions_mut().insert(peer);
                let begun = state.begin_request().then(|| router.call(request));
                let state = state.clone();
                async move {
                    let Some(answer) = begun else { return Err(io::Error::other("the connection is closed for another")) };
                    let Ok(mut answer) = answer.await;
                    if answer.extensions_mut().remove::<UnderWay>().is_none() {
                        state.end_request();
                        return Ok(answer);
                    }
                    let ended = OnDrop(state);
                    Ok(answer.map(|body| Body::from_stream(body.into_data_stream().inspect(move |_| _ = &ended))))
                }
            });
            // Each answer is written as a whole, so waiting for more data would only delay it.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_TIMEOUT));
            let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(Box::pin(stream)), service).with_upgrades());
            // Errors of a connection are ignored, because its client caused them.
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

/// Ends the request of a connection when it is dropped.
struct OnDrop(Arc<Connection>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.end_request();
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
