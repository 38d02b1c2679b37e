//! The guardian: a small shell process for each server. It stops the server if this process dies
//! without having done so, for example by `kill -9` or for lack of memory.
//!
//! It notices the death by the end of a pipe, which the kernel closes in any case. It restarts
//! nothing, and it does nothing while this process lives.

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
        // A separate process group, so that Ctrl-C in a terminal does not reach it; the folder "/",
        // so that other folders can be removed; no output, so that nobody who reads this process's
        // output waits for the guardian.
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(account) = account {
            account.apply(&mut command);
        }
        Ok(Self { shell: command.spawn()? })
    }

    /// Ends the guardian without touching the server. The caller does this as soon as the server has
    /// ended, before the system can give the server's process id to another process.
    pub(crate) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // This fails only if the guardian has already ended.
            let _ = pipe.write_all(b"dismissed\n");
        }
        let _ = self.shell.wait();
    }
}
