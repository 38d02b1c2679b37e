//! One connection: its handshake if there is TLS, and then HTTP/1.1 or HTTP/2.
//!
//! HTTP/2 is spoken only with TLS, where the client chooses it in the handshake. A proxy that ends TLS speaks HTTP/1.1.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::WRITE_TIMEOUT;
use super::streams::{PIECE_BYTES, StreamBody, Streams};
use super::tls::{HTTP2, Tls};
use super::waiting::{Connection, InProgress};
use crate::client_address::Peer;
use crate::settings::ConnectionLimits;
use crate::under_way::{ConnectionPlace, MAX_STREAMS, UnderWay};

/// Most bytes of the head of a request. Browsers and proxies stay below 16 KiB. A larger head is answered with
/// 431. Over HTTP/1.1, this also limits how much of a body is read at once.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Longest time for a TLS handshake, which is two round trips. It is shorter if the header timeout is.
const MAX_HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Bytes of bodies that a client of HTTP/2 may send before a handler reads them: for one stream, and for all streams
/// of a connection. More would let clients fill the memory, and less would slow down clients that are far away: at 50
/// ms, 128 KiB are 2.6 MB a second.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// Streams that a client may open and reset at once before the connection is closed. With more, a client makes the
/// server begin requests that it does not wait for (CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// Streams of a connection that the server may reset because of a client's errors before it closes the connection.
const MAX_ERRORS: usize = 64;

/// How connections are served. Clones share everything.
#[derive(Clone)]
pub(super) struct Protocols {
    router: Router,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
}

/// What is known of a connection before its first request.
pub(super) struct Visit {
    pub(super) connection: Arc<Connection>,
    pub(super) place: ConnectionPlace,
    pub(super) peer: IpAddr,
    /// Cancelled when the server stops.
    pub(super) closing: CancellationToken,
}

impl Protocols {
    pub(super) fn new(router: Router, tls: Option<Arc<Tls>>, limits: ConnectionLimits) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(MAX_HEAD_BYTES);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD_BYTES as u32)
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(PIECE_BYTES)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_ERRORS);
        Self { router, http1, http2, tls, limits }
    }

    /// Whether clients must speak TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves a connection to its end, which comes early if another connection needs its place. Errors are ignored,
    /// because the client caused them.
    pub(super) async fn serve(self, stream: TcpStream, visit: Visit) {
        // Each answer is written as a whole, so waiting for more data would only delay it.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let stream = Box::pin(stream);
        let served = async {
            let Some(tls) = &self.tls else { return self.serve_http1(stream, &visit).await };
            let timeout = self.limits.header_timeout.min(MAX_HANDSHAKE_TIME);
            let handshake = tokio::time::timeout(timeout, tls.acceptor().accept(stream));
            match visit.closing.run_until_cancelled(handshake).await {
                Some(Ok(Ok(stream))) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                    self.serve_http2(stream, &visit).await;
                }
                Some(Ok(Ok(stream))) => self.serve_http1(stream, &visit).await,
                Some(_) => counter!("rollcall_tls_handshakes_failed_total").increment(1),
                None => {}
            }
        };
        tokio::select! {
            biased;
            () = visit.connection.closed() => {}
            () = served => {}
        }
    }

    async fn serve_http1(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, visit: &Visit) {
        let requests = self.requests(visit);
        let service = service_fn(move |request| {
            let begun = requests.begin(request);
            async move {
                let (answer, request) = begun?.await;
                let Some(request) = request else { return Ok::<_, io::Error>(answer) };
                Ok(answer.map(|body| Body::from_stream(body.into_data_stream().inspect(move |_| _ = &request))))
            }
        });
        let mut serving = pin!(self.http1.serve_connection(TokioIo::new(stream), service).with_upgrades());
        tokio::select! {
            _ = serving.as_mut() => {}
            () = visit.closing.cancelled() => {
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        }
    }

    async fn serve_http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, visit: &Visit) {
        let (requests, streams) = (self.requests(visit), Arc::new(Streams::default()));
        let opened = streams.clone();
        let service = service_fn(move |request| {
            let (stream, begun) = (opened.begin(), requests.begin(request));
            async move {
                let (answer, request) = begun?.await;
                Ok::<_, io::Error>(answer.map(|body| Body::new(StreamBody::new(body, stream, request))))
            }
        });
        let mut serving = pin!(self.http2.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            _ = serving.as_mut() => {}
            () = streams.abandoned(self.limits.header_timeout) => {}
            () = visit.closing.cancelled() => {
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        }
    }

    fn requests(&self, visit: &Visit) -> Requests {
        Requests {
            router: TowerToHyperService::new(self.router.clone()),
            connection: visit.connection.clone(),
            place: visit.place.clone(),
            peer: Peer(visit.peer),
        }
    }
}

/// Hands the requests of one connection to the router.
struct Requests {
    router: TowerToHyperService<Router>,
    connection: Arc<Connection>,
    place: ConnectionPlace,
    peer: Peer,
}

impl Requests {
    /// Begins a request. Its future returns the answer, and the request if the answer's body is still part of it.
    ///
    /// # Errors
    /// Only if the connection was told to close.
    fn begin(
        &self,
        mut request: Request<Incoming>,
    ) -> io::Result<impl Future<Output = (Response, Option<InProgress>)> + Send + use<>> {
        let closed = || io::Error::other("the connection is closed for another");
        let in_progress = self.connection.begin_request().ok_or_else(closed)?;
        request.extensions_mut().insert(self.place.clone());
        request.extensions_mut().insert(self.peer);
        let answer = self.router.call(request);
        Ok(async move {
            let Ok(mut answer) = answer.await;
            let is_under_way = answer.extensions_mut().remove::<UnderWay>().is_some();
            (answer, is_under_way.then_some(in_progress))
        })
    }
}
