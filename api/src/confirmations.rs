//! Confirmations: whether the queue has confirmed what was published lately.
//!
//! A server can be connected, tell its figures, and store nothing: its disk is full, or the stream no
//! longer takes our subjects. Only publishing shows that.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A failure is held against the queue for this long, or until it confirms something. Then it is
/// tried again: a replica out of service would otherwise never learn that the queue is well.
const MEMORY: Duration = Duration::from_secs(10);

/// What publishing last showed.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    unconfirmed_at: Mutex<Option<Instant>>,
}

impl Confirmations {
    /// The queue confirmed a message.
    pub(crate) fn confirmed(&self) {
        *self.unconfirmed_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It did not confirm one in time.
    pub(crate) fn unconfirmed(&self) {
        *self.unconfirmed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether the last message was not confirmed, and that lately.
    pub(crate) fn are_missing(&self) -> bool {
        let unconfirmed_at = *self.unconfirmed_at.lock().unwrap_or_else(PoisonError::into_inner);
        unconfirmed_at.is_some_and(|at| at.elapsed() < MEMORY)
    }
}
