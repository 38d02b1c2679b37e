//! Slots: which priority may begin the next batch.
//!
//! A worker has two slots, and a batch takes one while it is settled. If both priorities wait for one, three
//! batches with normal priority begin for each batch of bulk. While bulk has both slots, a batch with normal
//! priority begins without one, so that it waits neither for a large batch nor for one that PostgreSQL refuses row
//! by row.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_shared::queue::priority::Priority;
use tokio::sync::Notify;

/// Two keep PostgreSQL and the worker busy at once. Each takes memory for a batch and a connection.
const SLOTS: usize = 2;
/// The number of batches with normal priority that begin for each batch of bulk while both wait. With a higher
/// number, bulk takes longer when the workers have more to do than they can.
const NORMAL_PER_BULK: u32 = 3;

/// The slots of one worker. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    normal: Batches,
    bulk: Batches,
    /// Batches with normal priority that began since the last one of bulk, while bulk waited.
    normal_since_bulk: u32,
}

/// The batches of one priority.
#[derive(Debug, Default)]
struct Batches {
    running: usize,
    waiting: usize,
}

/// The right to settle one batch. Dropping it ends the batch.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Arc<Shared>,
    priority: Priority,
}

/// A batch that waits for a slot until it is dropped.
struct Waiting<'s> {
    shared: &'s Shared,
    priority: Priority,
}

impl Slots {
    /// Waits until a batch of this priority may begin. The caller has at least one message of the batch.
    pub(crate) async fn take(&self, priority: Priority) -> Slot {
        let shared = &self.0;
        let _waiting = Waiting::begin(shared, priority);
        loop {
            // It is created before the state is read, so that no change in between is missed.
            let changed = shared.changed.notified();
            if shared.state().begin(priority) {
                return Slot { shared: Arc::clone(shared), priority };
            }
            changed.await;
        }
    }
}

impl State {
    /// Begins a batch if one of this priority may begin.
    fn begin(&mut self, priority: Priority) -> bool {
        let has_begun = self.may_begin(priority);
        if has_begun {
            self.of(priority).running += 1;
            self.normal_since_bulk = match priority {
                Priority::Normal if self.bulk.waiting > 0 => self.normal_since_bulk + 1,
                Priority::Normal => self.normal_since_bulk,
                Priority::Bulk => 0,
            };
        }
        has_begun
    }

    fn may_begin(&self, priority: Priority) -> bool {
        let has_slot = self.normal.running + self.bulk.running < SLOTS;
        let is_turn_of_bulk = self.normal_since_bulk >= NORMAL_PER_BULK;
        match priority {
            Priority::Normal if has_slot => self.bulk.waiting == 0 || !is_turn_of_bulk,
            Priority::Normal => self.normal.running == 0,
            Priority::Bulk => has_slot && (self.normal.waiting == 0 || is_turn_of_bulk),
        }
    }

    fn of(&mut self, priority: Priority) -> &mut Batches {
        match priority {
            Priority::Normal => &mut self.normal,
            Priority::Bulk => &mut self.bulk,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'s> Waiting<'s> {
    fn begin(shared: &'s Shared, priority: Priority) -> Self {
        shared.state().of(priority).waiting += 1;
        Self { shared, priority }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.state().of(self.priority).waiting -= 1;
        // The other priority may have waited because this one did.
        self.shared.changed.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.state().of(self.priority).running -= 1;
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rollcall_shared::queue::priority::Priority::{Bulk, Normal};

    use super::*;

    fn take_now(slots: &Slots, priority: Priority) -> Option<Slot> {
        slots.take(priority).now_or_never()
    }

    #[test]
    fn bulk_has_both_slots_while_nothing_else_waits() {
        let slots = Slots::default();
        let taken = [take_now(&slots, Bulk), take_now(&slots, Bulk)];
        assert!(taken.iter().all(Option::is_some));
        assert!(take_now(&slots, Bulk).is_none());
    }

    #[test]
    fn a_normal_batch_never_waits_for_a_batch_of_bulk() {
        let slots = Slots::default();
        let _bulk = [take_now(&slots, Bulk), take_now(&slots, Bulk)];
        let normal = take_now(&slots, Normal);
        assert!(normal.is_some());
        assert!(take_now(&slots, Normal).is_none(), "one at a time");
        drop(normal);
        assert!(take_now(&slots, Normal).is_some());
    }

    #[test]
    fn three_normal_batches_begin_for_each_of_bulk_while_both_wait() {
        let mut state = State::default();
        (state.normal.waiting, state.bulk.waiting) = (1, 1);
        let mut begun = Vec::new();
        for batch in 0..8 {
            let next = [Normal, Bulk].into_iter().find(|priority| state.begin(*priority)).unwrap();
            begun.push(next);
            // The batch that began before it ends.
            if batch > 0 {
                state.of(begun[batch - 1]).running -= 1;
            }
        }
        assert_eq!(begun, [Normal, Normal, Normal, Bulk, Normal, Normal, Normal, Bulk]);
    }

    #[test]
    fn a_batch_that_no_longer_waits_holds_up_nobody() {
        let slots = Slots::default();
        let first = take_now(&slots, Normal);
        let _second = take_now(&slots, Normal);
        // Both give up.
        assert!(take_now(&slots, Normal).is_none() && take_now(&slots, Bulk).is_none());
        drop(first);
        assert!(take_now(&slots, Bulk).is_some());
    }
}
