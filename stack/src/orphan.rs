//! Servers that a killed run left behind.
//!
//! Usually the guardian stops them, but it may not have finished, or may have been killed too.
//! Whoever holds the lock on the data folder knows that no other running process owns them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use nix::sys::signal;
use nix::unistd::Pid;

use crate::StackError;
use crate::folder::Folder;
use crate::plan::Step;
use crate::wait::wait_for;

/// The file that names the server's process.
const PID_FILE: &str = "pid";

/// Writes the process id of the folder's server to a file before the server begins.
///
/// # Errors
/// Only if the file cannot be written.
pub(crate) fn write_pid(folder: &Folder, pid: u32) -> Result<(), StackError> {
    let path = folder.path().join(PID_FILE);
    fs::write(&path, format!("{pid}\n")).map_err(StackError::file("write", &path))
}

/// Stops the server that an earlier run left in this folder, if there is one.
pub(crate) fn stop(folder: &Folder, plan: &[Step]) {
    let written = fs::read_to_string(folder.path().join(PID_FILE)).unwrap_or_default();
    let Ok(pid) = written.trim().parse() else { return };
    if !belongs_to(pid, folder) {
        return;
    }
    tracing::info!(pid, folder = %folder.path().display(), "stopping a server that an earlier run left behind");
    for step in plan {
        // This fails only if the process has already ended.
        let _ = signal::kill(Pid::from_raw(pid), step.signal);
        if wait_for(step.timeout, || (!belongs_to(pid, folder)).then_some(())).is_some() {
            return;
        }
    }
}

/// True if the process lives and its command line names this folder. Otherwise the system has given
/// the id to an unrelated process.
pub(crate) fn belongs_to(pid: i32, folder: &Folder) -> bool {
    let wanted = folder.path().as_os_str().as_bytes();
    command_line(pid).windows(wanted.len()).any(|part| part == wanted)
}

/// The command line of a process; empty if it has ended, even if its parent has not waited for it
/// yet.
fn command_line(pid: i32) -> Vec<u8> {
    if fs::exists("/proc/self/cmdline").unwrap_or(false) {
        return fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    }
    // macOS has no /proc, but it always has ps.
    let arguments = ["-o", "args=", "-p", &pid.to_string()].map(OsStr::new).map(OsStr::to_owned);
    Command::new("ps").args(arguments).output().map(|output| output.stdout).unwrap_or_default()
}
