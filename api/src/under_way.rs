//! What a handler tells the server about its answer.

/// Marks an answer whose sending belongs to the request: the connection does not count as waiting for its
/// client before the body ends. An answer that sends events as they come may have nothing to send for hours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay;
