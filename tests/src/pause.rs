//! A pause: a server with all its processes stands still until the value is dropped.

use std::fs;
use std::process::Command;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// Processes that were stopped by SIGSTOP. Dropping it lets them continue.
#[derive(Debug)]
pub struct Pause(Vec<u32>);

impl Pause {
    /// Stops a process and its children; the parent first, so that it makes no more of them.
    ///
    /// # Panics
    /// If the children cannot be listed.
    #[must_use]
    pub fn of(parent: u32) -> Self {
        send(parent, Signal::SIGSTOP);
        let mut pause = Self(vec![parent]);
        for child in children(parent) {
            send(child, Signal::SIGSTOP);
            pause.0.push(child);
        }
        pause
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| send(*pid, Signal::SIGCONT));
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, signal: Signal) {
    // It fails only if the process is gone.
    let _ = signal::kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), signal);
}

/// The children of a process, by /proc where there is one.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return children_by_pgrep(parent) };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; state and parent follow.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn children_by_pgrep(parent: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &parent.to_string()]).output().expect("a system without /proc has pgrep");
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect()
}
