//! Connections that wait for their clients, in the order in which they began to wait.
//!
//! A connection waits while none of its requests is being processed: it is idle, the head of a request is
//! incomplete, or the client has not taken all of an answer. To close it loses no request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
    /// Its number in the queue of waiting connections; while it does not wait, its previous number. Like the next
    /// field, it changes only while the queue is locked.
    number: AtomicU64,
    /// Requests in progress: over HTTP/1.1 one at most.
    requests: AtomicUsize,
    close: Arc<Notify>,
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub(super) struct InProgress(Arc<Connection>);

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
        let connection = Self { waiting, number: AtomicU64::new(0), requests: AtomicUsize::new(0), close: Arc::default() };
        connection.wait(&mut connection.waiting.line());
        connection
    }

    /// Begins a request. `None` if the connection was told to close before.
    pub(super) fn begin_request(self: &Arc<Self>) -> Option<InProgress> {
        let mut line = self.waiting.line();
        if self.requests.load(Ordering::Relaxed) == 0 {
            line.by_number.remove(&self.number.load(Ordering::Relaxed))?;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        Some(InProgress(self.clone()))
    }

    fn end_request(&self) {
        let mut line = self.waiting.line();
        if self.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.wait(&mut line);
        }
    }

    fn wait(&self, line: &mut Line) {
        line.last += 1;
        self.number.store(line.last, Ordering::Relaxed);
        line.by_number.insert(line.last, self.close.clone());
    }

    /// Returns when the connection must close.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.waiting.line().by_number.remove(&self.number.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_waits_longest_is_closed_and_never_one_with_a_request() {
        let waiting = Arc::new(Waiting::default());
        let [busy, first, second, gone] = std::array::from_fn(|_| Arc::new(Connection::open(waiting.clone())));
        let _in_progress = busy.begin_request().unwrap();
        drop(first.begin_request().unwrap());
        drop(gone);
        assert!(waiting.close_oldest());
        second.closed().await;
        assert!(second.begin_request().is_none());
        assert!(waiting.close_oldest());
        first.closed().await;
        assert!(!waiting.close_oldest());
    }

    #[test]
    fn a_connection_waits_only_when_the_last_of_its_requests_has_ended() {
        let waiting = Arc::new(Waiting::default());
        let connection = Arc::new(Connection::open(waiting.clone()));
        let requests = [(); 2].map(|()| connection.begin_request().unwrap());
        let [first, second] = requests;
        drop(first);
        assert!(!waiting.close_oldest());
        drop(second);
        assert!(waiting.close_oldest());
    }
}
