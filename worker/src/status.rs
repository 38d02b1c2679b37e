//! The status of a worker: what `/health/ready` and `/pipeline` report about it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rollcall_shared::queue::priority::Priority;
use uuid::Uuid;

use crate::error::StoreError;

/// The latest error that a worker had, in words that may be shown.
#[derive(Debug, Clone)]
pub(crate) struct LastError {
    pub(crate) message: String,
    pub(crate) at: Timestamp,
}

/// Counts one batch as waiting for PostgreSQL until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a Status);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Shared by everything in one worker.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) worker_id: Uuid,
    pub(crate) started_at: Timestamp,
    /// Events stored for the first time.
    stored: AtomicU64,
    /// Whether the worker waits until somebody brings the schema up to date.
    lacks_schema: AtomicBool,
    /// Whether the worker is pulling messages with normal priority.
    pulling_normal: AtomicBool,
    /// Whether the worker is pulling bulk.
    pulling_bulk: AtomicBool,
    /// Work that waits for PostgreSQL.
    waiting: AtomicUsize,
    last_error: Mutex<Option<LastError>>,
}

impl Status {
    pub(crate) fn new() -> Self {
        Self {
            worker_id: Uuid::now_v7(),
            started_at: Timestamp::now(),
            stored: AtomicU64::new(0),
            lacks_schema: AtomicBool::new(false),
            pulling_normal: AtomicBool::new(false),
            pulling_bulk: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            last_error: Mutex::new(None),
        }
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// A batch was stored.
    pub(crate) fn add_stored(&self, events: u64) {
        self.stored.fetch_add(events, Ordering::Relaxed);
    }

    /// Whether the worker waits until somebody brings the schema up to date.
    pub(crate) fn lacks_schema(&self) -> bool {
        self.lacks_schema.load(Ordering::Relaxed)
    }

    pub(crate) fn set_lacks_schema(&self, lacks: bool) {
        self.lacks_schema.store(lacks, Ordering::Relaxed);
    }

    /// Whether the worker is pulling from every consumer.
    pub(crate) fn is_pulling(&self) -> bool {
        self.pulling_normal.load(Ordering::Relaxed) && self.pulling_bulk.load(Ordering::Relaxed)
    }

    pub(crate) fn set_pulling(&self, priority: Priority, pulling: bool) {
        let of_priority = match priority {
            Priority::Normal => &self.pulling_normal,
            Priority::Bulk => &self.pulling_bulk,
        };
        of_priority.store(pulling, Ordering::Relaxed);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Something waits for PostgreSQL, until the returned value is dropped.
    pub(crate) fn wait_for_database(&self, error: &StoreError) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.record_error(error.summary());
        Waiting(self)
    }

    /// Records an error for people to see in `/pipeline`.
    pub(crate) fn record_error(&self, message: String) {
        let error = LastError { message, at: Timestamp::now() };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
