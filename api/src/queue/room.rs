//! Room: whether the stream has room for bulk.
//!
//! Bulk may fill only a part of the stream, and a project may fill no more than seven times as much of that part as it
//! leaves free for others. So one project that sends more than the workers can store fills at most seven eighths of the part,
//! two fill seven fifteenths each, and so on: there is always room for the bulk of another project, and for all other
//! events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use futures::StreamExt;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::STREAM;
use rollcall_shared::queue::subject::subject;

/// One part in this number of the stream is not for bulk: half a gigabyte by default, which holds millions of events.
const RESERVED_ONE_IN: u64 = 8;
/// A project may fill this many times as much as it leaves free.
const TIMES_FREE: u64 = 7;
/// How long an answer of the queue is trusted. What this process publishes meanwhile is counted; what others do is not.
const TTL: Duration = Duration::from_secs(1);
/// What says that there is no room is not trusted for longer than this, because workers may have made room meanwhile.
const TTL_OF_FULL: Duration = Duration::from_millis(100);
/// How long the queue may take to answer.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);

/// Knows how full the stream was a moment ago.
pub(crate) struct Room {
    context: Context,
    by_project: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<Share>>>>,
}

/// What is known about a project that sends bulk.
#[derive(Default)]
struct Share {
    /// When the queue answered, and how many bytes the project might publish then, less what it has published since.
    left: Option<(Instant, u64)>,
    /// The mean size of its recent messages. The server counts the messages of a subject, and not their bytes.
    message_bytes: f64,
}

impl Room {
    pub(crate) fn new(client: async_nats::Client) -> Self {
        Self { context: jetstream::new(client), by_project: Mutex::default() }
    }

    /// Whether the project may publish messages of these sizes as bulk. Without an answer of the queue it may, because
    /// publishing them then shows what is wrong.
    pub(crate) async fn takes_bulk(&self, project: ProjectId, sizes: &[usize]) -> bool {
        let share = self.by_project.lock().unwrap_or_else(PoisonError::into_inner).entry(project).or_default().clone();
        // All requests of the project wait for one answer, and those of other projects do not.
        let mut share = share.lock().await;
        sizes.iter().for_each(|size| share.note(*size));
        let bytes: u64 = sizes.iter().map(|size| *size as u64).sum();
        let is_trusted = |(at, left): &(Instant, u64)| at.elapsed() < if bytes > *left { TTL_OF_FULL } else { TTL };
        let (at, left) = match share.left.filter(is_trusted) {
            Some(known) => known,
            None => {
                let answer = self.ask(project, share.message_bytes);
                let left = tokio::time::timeout(STATE_TIMEOUT, answer).await.ok().flatten().unwrap_or(u64::MAX);
                (Instant::now(), left)
            }
        };
        let after = left.checked_sub(bytes);
        share.left = Some((at, after.unwrap_or(left)));
        after.is_some()
    }

    /// How many bytes the project may publish.
    async fn ask(&self, project: ProjectId, message_bytes: f64) -> Option<u64> {
        let stream = self.context.get_stream_no_info(STREAM).await.ok()?;
        // The subject is that of one project, so there is one count or none.
        let mut counts = stream.info_with_subjects(subject(project, Priority::Bulk)).await.ok()?;
        let (max_bytes, bytes) = (u64::try_from(counts.info.config.max_bytes).unwrap_or(u64::MAX), counts.info.state.bytes);
        let messages = match counts.next().await {
            Some(count) => count.ok()?.1,
            None => 0,
        };
        Some(left(max_bytes, bytes, (messages as f64 * message_bytes) as u64))
    }
}

impl Share {
    fn note(&mut self, size: usize) {
        let size = size as f64;
        self.message_bytes =
            if self.message_bytes > 0.0 { self.message_bytes + (size - self.message_bytes) / 16.0 } else { size };
    }
}

/// How many bytes a project with `own` bytes of bulk may still publish to a stream that has `bytes` in all.
fn left(max_bytes: u64, bytes: u64, own: u64) -> u64 {
    let free = (max_bytes - max_bytes / RESERVED_ONE_IN).saturating_sub(bytes);
    // Each byte makes its own part larger and what is free smaller.
    (free.saturating_mul(TIMES_FREE).saturating_sub(own) / (TIMES_FREE + 1)).min(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_may_fill_seven_times_as_much_as_it_leaves_free() {
        // 800 of 914 bytes are for bulk.
        assert_eq!(left(914, 0, 0), 700, "all of its part at once");
        assert_eq!(left(914, 350, 350), 350, "the rest of it");
        assert_eq!(left(914, 700, 700), 0, "it is full");
        assert_eq!(left(914, 700, 0), 87, "another project has room then");
        assert_eq!(left(914, 746, 373), 0, "two that have seven fifteenths each");
        assert_eq!(left(914, 800, 0), 0, "no room for anybody");
        assert!(left(u64::MAX, u64::MAX / 4, u64::MAX / 4) > 1 << 60, "a stream without a limit");
    }

    #[test]
    fn the_mean_size_follows_the_recent_messages() {
        let mut share = Share::default();
        share.note(1_000);
        assert_eq!(share.message_bytes, 1_000.0);
        (0..100).for_each(|_| share.note(100));
        assert!((100.0..110.0).contains(&share.message_bytes), "{}", share.message_bytes);
    }
}
