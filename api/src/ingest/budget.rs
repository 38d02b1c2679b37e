//! The memory budget: how many bytes of events all requests together may hold.
//!
//! A request takes its share as its body arrives and gives it back when it is answered, or dropped
//! because the client went away. Without room it waits a moment and is then sent away with 503: what
//! is not accepted is the client's to keep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// How long a request waits for room. Requests that have a part of what they need wait for each
/// other, so this also ends that.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    kib: Arc<Semaphore>,
}

/// What one request holds.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Room for this many bytes, but never less than for one request of the largest size.
    pub(crate) fn new(bytes: usize, max_body_bytes: usize) -> Self {
        Self { kib: Arc::new(Semaphore::new(kib(bytes.max(max_body_bytes)))) }
    }

    /// A share of nothing yet.
    pub(super) fn open_share(&self) -> Share {
        Share { budget: self.clone(), held: None }
    }
}

impl Share {
    /// Makes the share large enough for `bytes` in all.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if there is no room and none is given back in time.
    pub(super) async fn grow_to(&mut self, bytes: usize) -> Result<(), ApiError> {
        let missing = kib(bytes).saturating_sub(self.held_kib());
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let room = tokio::time::timeout(PATIENCE, self.budget.kib.clone().acquire_many_owned(missing)).await;
        let more = room.map_err(|_| ApiError::Overloaded)?.map_err(ApiError::internal)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }

    /// Gives back what is not needed for `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let spare = self.held_kib().saturating_sub(kib(bytes));
        // Dropped at once, and free for others.
        let _ = self.held.as_mut().and_then(|held| held.split(spare));
    }

    fn held_kib(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_without_room_is_sent_away_and_room_comes_back() {
        let budget = Budget::new(10 * 1024, 1024);
        let (mut first, mut second) = (budget.open_share(), budget.open_share());
        first.grow_to(8 * 1024).await.unwrap();
        assert!(matches!(second.grow_to(3 * 1024).await, Err(ApiError::Overloaded)));
        first.shrink_to(7 * 1024);
        second.grow_to(3 * 1024).await.unwrap();
        drop((first, second));
        assert_eq!(budget.kib.available_permits(), 10);
    }

    #[test]
    fn the_largest_request_always_fits() {
        assert_eq!(Budget::new(1, 64 * 1024).kib.available_permits(), 64);
    }
}
