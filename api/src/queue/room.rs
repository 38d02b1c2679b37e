//! Room: whether the stream has room for bulk.
//!
//! Bulk may fill only a part of the stream. So a project that sends more than the workers can store fills up the
//! stream for its own kind, and the API still accepts the other events.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use rollcall_shared::queue::stream::STREAM;
use tokio::sync::Mutex;

/// One part in this number of the stream is not for bulk: half a gigabyte by default, which holds millions of events.
const RESERVED_ONE_IN: u64 = 8;
/// How long an answer of the queue is trusted. A process publishes a small part of the reserve within this time.
const TTL: Duration = Duration::from_secs(1);
/// How long the queue may take to answer.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);

/// Knows how full the stream was a moment ago.
pub(crate) struct Room {
    context: Context,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Room {
    pub(crate) fn new(client: async_nats::Client) -> Self {
        Self { context: jetstream::new(client), last: Mutex::default() }
    }

    /// Whether bulk may be published. Without an answer of the queue it may, because publishing it then shows what
    /// is wrong.
    pub(crate) async fn is_left_for_bulk(&self) -> bool {
        // All callers wait for one answer.
        let mut last = self.last.lock().await;
        if let Some((at, is_left)) = *last
            && at.elapsed() < TTL
        {
            return is_left;
        }
        let is_left = tokio::time::timeout(STATE_TIMEOUT, self.ask()).await.ok().flatten().unwrap_or(true);
        *last = Some((Instant::now(), is_left));
        is_left
    }

    async fn ask(&self) -> Option<bool> {
        let info = self.context.get_stream_no_info(STREAM).await.ok()?.get_info().await.ok()?;
        let max_bytes = u64::try_from(info.config.max_bytes).unwrap_or(u64::MAX);
        Some(info.state.bytes < max_bytes - max_bytes / RESERVED_ONE_IN)
    }
}
