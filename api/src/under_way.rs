//! Extensions through which the server and a handler inform each other about a connection, and what both know of it.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

/// Requests that a client of HTTP/2 may have in progress on one connection. Each is a handler, and an answer that waits
/// for the client.
pub(crate) const MAX_STREAMS: u32 = 32;

/// Marks an answer whose body is part of the request: the connection does not count as waiting for its client
/// before the body ends. A stream of live events may have nothing to send for hours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay;

/// The permit of the connection on which a request arrived. A WebSocket that takes the connection over keeps the
/// permit.
#[derive(Clone)]
pub(crate) struct ConnectionPlace {
    _place: Arc<OwnedSemaphorePermit>,
}

impl ConnectionPlace {
    pub(crate) fn new(place: OwnedSemaphorePermit) -> Self {
        Self { _place: Arc::new(place) }
    }
}
