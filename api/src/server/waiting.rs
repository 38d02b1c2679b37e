//! Connections that wait for their clients, in the order in which they began to wait.
//!
//! A connection waits while none of its requests is being processed: it is idle, the head of a request is
//! incomplete, or the client has not taken all of an answer. To close it loses no request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All connections that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    last: u64,
    by_number: BTreeMap<u64, Arc<Notify>>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    waiting: Arc<Waiting>,
    /// Its number in the queue of waiting connections; while it does not wait, its previous number.
    number: AtomicU64,
    close: Arc<Notify>,
}

impl Waiting {
    /// Tells the connection that has waited longest to close. `false` if none waits.
    pub(super) fn close_oldest(&self) -> bool {
        let oldest = self.line().by_number.pop_first();
        oldest.inspect(|(_, close)| close.notify_one()).is_some()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// A connection that waits for its first request.
    pub(super) fn open(waiting: Arc<Waiting>) -> Self {
        let connection = Self { waiting, number: AtomicU64::new(0), close: Arc::default() };
        connection.end_request();
        connection
    }

    /// Records the beginning of a request. `false` if the connection was told to close before.
    pub(super) fn begin_request(&self) -> bool {
        self.waiting.line().by_number.remove(&self.number.load(Ordering::Relaxed)).is_some()
    }

    /// Records the end of a request.
    pub(super) fn end_request(&self) {
        let mut line = self.waiting.line();
        line.last += 1;
        self.number.store(line.last, Ordering::Relaxed);
        let number = line.last;
        line.by_number.insert(number, self.close.clone());
    }

    /// Returns when the connection must close.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.begin_request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_waits_longest_is_closed_and_never_one_with_a_request() {
        let waiting = Arc::new(Waiting::default());
        let [busy, first, second, gone] = std::array::from_fn(|_| Connection::open(waiting.clone()));
        assert!(busy.begin_request());
        assert!(first.begin_request());
        first.end_request();
        drop(gone);
        assert!(waiting.close_oldest());
        second.closed().await;
        assert!(!second.begin_request());
        assert!(waiting.close_oldest());
        first.closed().await;
        assert!(!waiting.close_oldest());
    }
}
