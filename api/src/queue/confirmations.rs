//! Confirmations: whether the queue has confirmed the messages published recently.
//!
//! A server can be connected and report its state although it stores nothing, because its disk is full or the
//! stream no longer accepts the subjects of the API. Only publishing shows this. A single unconfirmed message,
//! however, means little while other messages are confirmed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the queue counts as refusing after a message that it did not confirm, unless it confirms
/// another one first. A replica that is out of service publishes nothing, so without this limit it
/// would never learn that the queue has recovered.
const UNCONFIRMED_TTL: Duration = Duration::from_secs(10);

/// The outcomes of the latest publishes.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    confirmed_at: Option<Instant>,
    /// When a message was found unconfirmed after the last confirmation.
    unconfirmed_at: Option<Instant>,
}

impl Confirmations {
    /// The queue confirmed a message.
    pub(crate) fn confirmed(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Last { confirmed_at: Some(Instant::now()), unconfirmed_at: None };
    }

    /// The queue did not confirm a message in time. Publishing it began at `began`.
    pub(crate) fn unconfirmed(&self, began: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.confirmed_at.is_none_or(|at| at < began) {
            last.unconfirmed_at = Some(Instant::now());
        }
    }

    /// Whether a recent message was not confirmed, and no other message was confirmed after its publishing began.
    pub(crate) fn are_missing(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.unconfirmed_at.is_some_and(|at| at.elapsed() < UNCONFIRMED_TTL)
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
