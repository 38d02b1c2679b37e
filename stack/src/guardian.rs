//! The guardian: a small shell process for each server and each temporary folder, which stops the server
//! or removes the folder when this process ends without having done so, by `kill -9` or by lack of memory.
//!
//! It is told of that end by the end of a pipe, which the kernel closes whatever happens. It does
//! not restart anything, and it does nothing while this process lives.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::account::Account;
use crate::plan::Step;

/// A running guardian. Dropping it without [`Guardian::dismiss`] closes the pipe, and so stops the server
/// or removes the folder.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Starts the guardian of process `pid`, as the account that the server runs as.
    ///
    /// # Errors
    /// Only if `/bin/sh` cannot be run.
    pub(crate) fn of_server(pid: u32, plan: &[Step], account: Option<&Account>) -> io::Result<Self> {
        let mut command = shell(include_str!("guardian.sh"), "rollcall-guardian");
        command.arg(pid.to_string());
        for step in plan {
            let signal = step.signal.as_str().trim_start_matches("SIG");
            command.args([signal, &step.timeout.as_secs().to_string()]);
        }
        if let Some(account) = account {
            account.apply(&mut command);
        }
        Ok(Self { shell: command.spawn()? })
    }

    /// Starts the guardian of a temporary folder.
    ///
    /// # Errors
    /// Only if `/bin/sh` cannot be run.
    pub(crate) fn of_folder(folder: &Path) -> io::Result<Self> {
        Ok(Self { shell: shell(include_str!("scratch.sh"), "rollcall-scratch").arg(folder).spawn()? })
    }

    /// Ends the guardian; server or folder are not touched. Called as soon as the server's end was seen, so
    /// that its process id cannot have been given to another process.
    pub(crate) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // This fails only if the guardian has already ended.
            let _ = pipe.write_all(b"dismissed\n");
        }
        let _ = self.shell.wait();
    }
}

/// A shell that runs the script. Its arguments are added to it.
fn shell(script: &str, name: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, name]);
    // A group of its own, so that a terminal's Ctrl-C does not reach it; "/", so that it keeps no
    // folder from being removed; no output, so that nobody waits for the end of it.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
