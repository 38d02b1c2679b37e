//! How a server is stopped: a list of signals, each with a timeout after which the next one follows.

use std::time::Duration;

use nix::sys::signal::Signal;

/// One step: a signal, and how long to wait for the server to end.
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

/// PostgreSQL gets a fast shutdown (it ends sessions and writes a checkpoint), then an immediate one
/// (no checkpoint; the next start recovers from the log, and nothing is lost), then SIGKILL. On a slow
/// disk, a checkpoint of `shared_buffers` takes seconds; the first timeout limits how long Ctrl-C waits
/// for it.
pub(crate) const POSTGRES: &[Step] =
    &[Step::new(Signal::SIGINT, 6), Step::new(Signal::SIGQUIT, 2), Step::new(Signal::SIGKILL, 1)];

/// SeaweedFS loses nothing that it has answered for if it is killed, and takes about three seconds to shut down.
pub(crate) const S3: &[Step] = &[Step::new(Signal::SIGTERM, 6), Step::new(Signal::SIGKILL, 2)];

/// nats-server shuts down within milliseconds, and loses nothing if the shutdown is interrupted.
pub(crate) const NATS: &[Step] = &[Step::new(Signal::SIGTERM, 6), Step::new(Signal::SIGKILL, 2)];
