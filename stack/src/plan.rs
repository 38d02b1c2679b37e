//! How a server is told to stop: signals, each with the time it is given before the next.

use std::time::Duration;

use nix::sys::signal::Signal;

/// One step: a signal and how long to wait for the server's end after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) signal: Signal,
    pub(crate) timeout: Duration,
}

impl Step {
    pub(crate) const fn new(signal: Signal, timeout_secs: u64) -> Self {
        Self { signal, timeout: Duration::from_secs(timeout_secs) }
    }
}

/// PostgreSQL: fast shutdown (sessions are ended, a checkpoint is written), then immediate (no
/// checkpoint; the next start recovers from the log, and nothing is lost), then by force. A checkpoint
/// of everything that `shared_buffers` holds takes seconds on a slow disk; who pressed Ctrl-C waits for
/// it no longer than this.
pub(crate) const POSTGRES: &[Step] =
    &[Step::new(Signal::SIGINT, 6), Step::new(Signal::SIGQUIT, 2), Step::new(Signal::SIGKILL, 1)];

/// nats-server: an orderly shutdown takes milliseconds and loses nothing when it is cut short.
pub(crate) const NATS: &[Step] = &[Step::new(Signal::SIGTERM, 6), Step::new(Signal::SIGKILL, 2)];
