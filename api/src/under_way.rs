//! What the server and a handler tell each other about a connection.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

/// Marks an answer whose sending belongs to the request: the connection does not count as waiting for its
/// client before the body ends. An answer that sends events as they come may have nothing to send for hours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay;

/// The place of the connection that a request came on. Who takes the connection over, for a WebSocket, keeps it.
#[derive(Clone)]
pub(crate) struct ConnectionPlace {
    _place: Arc<OwnedSemaphorePermit>,
}

impl ConnectionPlace {
    pub(crate) fn new(place: OwnedSemaphorePermit) -> Self {
        Self { _place: Arc::new(place) }
    }
}
