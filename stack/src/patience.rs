//! Waiting for a condition with a deadline, for what offers nothing to block on: files, ports and
//! the end of a process.

use std::thread;
use std::time::{Duration, Instant};

/// The first look comes at once and the next after this; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// A tenth of what a person notices, and nothing to a processor.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds something or `limit` has passed.
pub(crate) fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
