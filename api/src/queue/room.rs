//! Room: whether the stream has room for bulk.
//!
//! Bulk may fill only a part of the stream, and of that part, one project may fill no more than it leaves free to others.
//! So a project that sends more than the workers can store fills up at most half of it, two such projects a third
//! each, and so on: the API always has room for the bulk of another project, and for all other events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use futures::TryStreamExt;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::STREAM;
use rollcall_shared::queue::subject::subject;
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
    /// The projects that sent bulk within the [`TTL`], and whether there was room for it.
    last: Mutex<HashMap<ProjectId, (Instant, bool)>>,
}

impl Room {
    pub(crate) fn new(client: async_nats::Client) -> Self {
        Self { context: jetstream::new(client), last: Mutex::default() }
    }

    /// Whether the project may publish bulk. Without an answer of the queue it may, because publishing it then shows
    /// what is wrong.
    pub(crate) async fn is_left_for_bulk(&self, project: ProjectId) -> bool {
        // All callers wait for one answer.
        let mut last = self.last.lock().await;
        last.retain(|_, (at, _)| at.elapsed() < TTL);
        if let Some((_, is_left)) = last.get(&project) {
            return *is_left;
        }
        let is_left = tokio::time::timeout(STATE_TIMEOUT, self.ask(project)).await.ok().flatten().unwrap_or(true);
        last.insert(project, (Instant::now(), is_left));
        is_left
    }

    async fn ask(&self, project: ProjectId) -> Option<bool> {
        let stream = self.context.get_stream_no_info(STREAM).await.ok()?;
        let mut own = 0;
        let mut counts = stream.info_with_subjects(subject(project, Priority::Bulk)).await.ok()?;
        while let Some((_, messages)) = counts.try_next().await.ok()? {
            own += messages as u64;
        }
        let info = stream.get_info().await.ok()?;
        let max_bytes = u64::try_from(info.config.max_bytes).unwrap_or(u64::MAX);
        Some(has_room(max_bytes, info.state.bytes, info.state.messages, own))
    }
}

/// Whether a project with `own` messages of bulk may publish more to a stream with `bytes` in `messages`.
fn has_room(max_bytes: u64, bytes: u64, messages: u64, own: u64) -> bool {
    let for_bulk = max_bytes - max_bytes / RESERVED_ONE_IN;
    // The server counts messages by subject, and not their bytes. Those of bulk are larger than others, so the project
    // has at least the average in each.
    let own_bytes = u128::from(bytes) * u128::from(own) / u128::from(messages.max(1));
    let free = for_bulk.saturating_sub(bytes);
    free > 0 && own_bytes <= u128::from(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_may_fill_as_much_as_it_leaves_free() {
        // 700 of 800 bytes are for bulk.
        assert!(has_room(800, 0, 0, 0));
        assert!(has_room(800, 350, 35, 35), "half of it");
        assert!(!has_room(800, 360, 36, 36), "more than is free");
        assert!(has_room(800, 360, 36, 0), "another project");
        assert!(has_room(800, 460, 46, 23), "two that have a third each");
        assert!(!has_room(800, 480, 48, 24), "two that have more");
        assert!(!has_room(800, 700, 70, 0), "no room for anybody");
        assert!(has_room(u64::MAX, u64::MAX / 4, 1_000_000, 1_000_000), "a stream without a limit");
    }
}
