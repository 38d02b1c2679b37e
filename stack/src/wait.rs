//! Polls a condition until it holds or a timeout ends, for conditions on which a thread cannot block:
//! files, ports and the end of a process.

use std::thread;
use std::time::{Duration, Instant};

/// Interval between the first check and the second. It doubles with each check, up to
/// [`MAX_INTERVAL`].
const FIRST_INTERVAL: Duration = Duration::from_millis(1);
/// A person does not notice a delay of this length, and a hundred checks per second cost almost no
/// processor time.
const MAX_INTERVAL: Duration = Duration::from_millis(10);

/// Calls `check` until it returns `Some`. Returns `None` after the timeout.
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
