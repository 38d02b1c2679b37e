//! In flight: the limits on messages that are published and not confirmed yet.
//!
//! They bound the memory of the process while the server stalls. Bulk takes a part of them at most, so that a
//! message with normal priority never waits behind the many chunks of large requests.

use rollcall_shared::queue::priority::Priority;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Maximum number of messages in flight from one process. More would only add latency, because the server
/// confirms in order.
const MAX_MESSAGES: usize = 32;
/// Maximum size in KiB of the messages in flight from one process, which occupy memory while the server stalls.
const MAX_KIB: usize = 16 * 1024;
/// The same for bulk, which is included in the above.
const MAX_BULK_MESSAGES: usize = 24;
const MAX_BULK_KIB: usize = 12 * 1024;

/// The limits of this process.
pub(crate) struct InFlight {
    all: Limits,
    bulk: Limits,
}

/// The right to have one message in flight until it is dropped.
pub(crate) struct Permit<'l> {
    _bulk: Option<Permits<'l>>,
    _all: Permits<'l>,
}

struct Limits {
    messages: Semaphore,
    kib: Semaphore,
}

type Permits<'l> = (SemaphorePermit<'l>, SemaphorePermit<'l>);

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { all: Limits::new(MAX_MESSAGES, MAX_KIB), bulk: Limits::new(MAX_BULK_MESSAGES, MAX_BULK_KIB) }
    }

    /// Waits until a message of this size may be published. It never returns `None`, because the semaphores are
    /// never closed.
    pub(crate) async fn enter(&self, priority: Priority, bytes: usize) -> Option<Permit<'_>> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        let bulk = match priority {
            Priority::Normal => None,
            Priority::Bulk => Some(self.bulk.acquire(kib).await?),
        };
        Some(Permit { _bulk: bulk, _all: self.all.acquire(kib).await? })
    }
}

impl Limits {
    fn new(messages: usize, kib: usize) -> Self {
        Self { messages: Semaphore::new(messages), kib: Semaphore::new(kib) }
    }

    async fn acquire(&self, kib: u32) -> Option<Permits<'_>> {
        Some((self.messages.acquire().await.ok()?, self.kib.acquire_many(kib).await.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn bulk_leaves_room_for_other_messages() {
        let in_flight = InFlight::new();
        let enter = |priority, kib: usize| in_flight.enter(priority, kib * 1024 - 1).now_or_never().flatten();
        let mut bulk = Vec::new();
        while let Some(permit) = enter(Priority::Bulk, 700) {
            bulk.push(permit);
        }
        assert_eq!(bulk.len(), MAX_BULK_KIB / 700);
        let normal: Vec<_> = std::iter::from_fn(|| enter(Priority::Normal, 1)).collect();
        assert_eq!(normal.len() + bulk.len(), MAX_MESSAGES);
        drop(bulk);
        assert!(enter(Priority::Bulk, 700).is_some());
    }
}
