//! A clock that stands still while a fault lasts.
//!
//! How long the service takes to recover is measured by it, so that a fault that follows before the
//! service is back does not count as slowness.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time without a fault.
#[derive(Debug, Default)]
pub(crate) struct Calm(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Before the present calm.
    passed: Duration,
    /// When the present calm began; none while a fault lasts.
    since: Option<Instant>,
}

impl Calm {
    /// A fault begins.
    pub(crate) fn disturb(&self) {
        let mut state = self.0.lock().expect("no panic");
        if let Some(since) = state.since.take() {
            state.passed += since.elapsed();
        }
    }

    /// The last fault is over.
    pub(crate) fn restore(&self) {
        self.0.lock().expect("no panic").since.get_or_insert_with(Instant::now);
    }

    /// Time without a fault since the run began.
    pub(crate) fn passed(&self) -> Duration {
        let state = self.0.lock().expect("no panic");
        state.passed + state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
