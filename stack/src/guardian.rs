//! The guardian: a small shell process for each server, which stops the server when this process
//! dies without having done so, by `kill -9` or by lack of memory.
//!
//! It is told of that death by the end of a pipe, which the kernel closes whatever happens. It does
//! not restart anything, and it does nothing while this process lives.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::account::Account;
use crate::plan::Step;

/// The running guardian of one server. Dropping it without [`Guardian::dismiss`] closes the pipe,
/// and so stops the server.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Starts the guardian of process `pid`, as the account that the server runs as.
    ///
    /// # Errors
    /// Only if `/bin/sh` cannot be run.
    pub(crate) fn start(pid: u32, plan: &[Step], account: Option<&Account>) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", include_str!("guardian.sh"), "rollcall-guardian", &pid.to_string()]);
        for step in plan {
            let signal = step.signal.as_str().trim_start_matches("SIG");
            command.args([signal, &step.timeout.as_secs().to_string()]);
        }
        // A group of its own, so that a terminal's Ctrl-C does not reach it; "/", so that it keeps no
        // folder from being removed; no output, so that nobody waits for the end of it.
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(account) = account {
            account.apply(&mut command);
        }
        Ok(Self { shell: command.spawn()? })
    }

    /// Ends the guardian; the server is not touched. Called as soon as the server's end was seen, so
    /// that its process id cannot have been given to another process.
    pub(crate) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // If this fails the guardian is gone already.
            let _ = pipe.write_all(b"dismissed\n");
        }
        let _ = self.shell.wait();
    }
}
