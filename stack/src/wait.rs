//! Waiting for a condition with a timeout, for what offers nothing to block on: files, ports and
//! the end of a process.

use std::thread;
use std::time::{Duration, Instant};

/// The first check comes at once and the next after this; the interval doubles up to [`MAX_INTERVAL`].
const FIRST_INTERVAL: Duration = Duration::from_millis(1);
/// A tenth of what a person notices, and nothing to a processor.
const MAX_INTERVAL: Duration = Duration::from_millis(10);

/// Checks again and again until the result is `Some`; `None` after the timeout.
pub(crate) fn wait_for<T>(timeout: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    let mut interval = FIRST_INTERVAL;
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(interval);
        interval = (interval * 2).min(MAX_INTERVAL);
    }
}
