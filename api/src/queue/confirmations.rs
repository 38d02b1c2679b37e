//! Confirmations: whether the queue has confirmed what was published lately.
//!
//! A server can be connected, tell its figures, and store nothing: its disk is full, or the stream no
//! longer takes our subjects. Only publishing shows that. But one message that is not confirmed says
//! nothing about the queue while others are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A failure is held against the queue for this long, or until it confirms something. Then it is
/// tried again: a replica out of service would otherwise never learn that the queue is well.
const MEMORY: Duration = Duration::from_secs(10);

/// What publishing last showed.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    confirmed_at: Option<Instant>,
    /// Since the last confirmation.
    unconfirmed_at: Option<Instant>,
}

impl Confirmations {
    /// The queue confirmed a message.
    pub(crate) fn confirmed(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Last { confirmed_at: Some(Instant::now()), unconfirmed_at: None };
    }

    /// It did not confirm one in time whose publishing began at this moment.
    pub(crate) fn unconfirmed(&self, began: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.confirmed_at.is_none_or(|at| at < began) {
            last.unconfirmed_at = Some(Instant::now());
        }
    }

    /// Whether a message was lately not confirmed, and no other since it was begun.
    pub(crate) fn are_missing(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.unconfirmed_at.is_some_and(|at| at.elapsed() < MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unconfirmed_message_says_nothing_while_others_are_confirmed() {
        let confirmations = Confirmations::default();
        let began = Instant::now();
        confirmations.confirmed();
        confirmations.unconfirmed(began);
        assert!(!confirmations.are_missing());
    }

    #[test]
    fn confirmations_are_missing_until_one_comes() {
        let confirmations = Confirmations::default();
        confirmations.confirmed();
        confirmations.unconfirmed(Instant::now());
        confirmations.unconfirmed(Instant::now());
        assert!(confirmations.are_missing());
        confirmations.confirmed();
        assert!(!confirmations.are_missing());
    }
}
