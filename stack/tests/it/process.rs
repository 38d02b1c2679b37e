//! Helpers that inspect processes and wait for conditions.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal;
use nix::unistd::Pid;

/// Timeout of every wait, far longer than a busy machine needs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a condition, and fails the test with `what` after the timeout.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// True if the process runs. A zombie, which has ended and whose parent has not waited for it, does
/// not run.
pub(crate) fn is_running(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        return std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    }
    signal::kill(as_pid(pid), None).is_ok()
}

/// Kills a process as a crash would.
pub(crate) fn kill_nine(pid: u32) {
    signal::kill(as_pid(pid), signal::Signal::SIGKILL).expect("the process runs");
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}
