//! One running server: its process, its guardian, and its end.
//!
//! The server is in a process group of its own: Ctrl-C reaches this process alone, which then stops
//! its servers in order. It begins as a shell that waits for a line before it becomes the server,
//! so that there is no moment in which the server runs and its guardian does not.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::folder::Folder;
use crate::guardian::Guardian;
use crate::log::ServerLog;
use crate::plan::Step;
use crate::wait::wait_for;
use crate::{StackError, orphan};

/// Waits for leave to begin, then becomes the server. If this process dies first, the wait ends
/// without a line and the shell goes too.
const GATE: &str = "read -r _ && exec \"$@\" </dev/null";

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The server's name for messages.
    pub(crate) server: &'static str,
    pub(crate) program: &'a Path,
    /// One of them names a path in the data folder; by it a later run knows the process.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) plan: &'static [Step],
}

/// A server that was started. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    server: &'static str,
    child: Child,
    guardian: Guardian,
    plan: &'static [Step],
    has_ended: bool,
}

impl ServerProcess {
    /// Starts the server; whether it is ready is the caller's to find out.
    ///
    /// # Errors
    /// Only if a process cannot be started or its id not be written down.
    pub(crate) fn start(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<Self, StackError> {
        let failed = |source| StackError::Program { program: launch.program.to_owned(), source };
        let mut child = gated(launch, folder, log)?.spawn().map_err(failed)?;
        let gate = child.stdin.take();
        let guardian = Guardian::start(child.id(), launch.plan, folder.account());
        let mut process = match guardian {
            Ok(guardian) => Self { server: launch.server, child, guardian, plan: launch.plan, has_ended: false },
            Err(error) => {
                // The gate was not opened, so the shell behind it ends by itself.
                drop(gate);
                let _ = child.wait();
                return Err(failed(error));
            }
        };
        orphan::write_pid(folder, process.pid())?;
        let opened = gate.map_or(Ok(()), |mut gate| gate.write_all(b"go\n"));
        match opened {
            // The shell is gone already; the caller sees that the server has ended.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                process.stop();
                Err(failed(error))
            }
            _ => Ok(process),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True if the server has ended, by itself or by a call of this type's.
    pub(crate) fn has_ended(&mut self) -> bool {
        if !self.has_ended && !matches!(self.child.try_wait(), Ok(None)) {
            self.has_ended = true;
            self.guardian.dismiss();
        }
        self.has_ended
    }

    /// Waits until `is_ready` says so.
    ///
    /// # Errors
    /// [`StackError::Exited`] if the server ends first, [`StackError::NotReady`] at the deadline.
    pub(crate) fn wait_until_ready(
        &mut self,
        limit: Duration,
        log: &ServerLog,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), StackError> {
        let server = self.server;
        let log_path = || -> PathBuf { log.path().to_owned() };
        let outcome = wait_for(limit, || {
            if self.has_ended() {
                Some(Err(StackError::Exited { server, log: log_path(), tail: log.tail() }))
            } else {
                is_ready().then_some(Ok(()))
            }
        });
        let waited_secs = limit.as_secs();
        outcome.unwrap_or_else(|| Err(StackError::NotReady { server, waited_secs, log: log_path(), tail: log.tail() }))
    }

    /// Stops the server as its plan says and waits for its end.
    pub(crate) fn stop(&mut self) {
        let plan = self.plan;
        for step in plan {
            if self.has_ended() {
                return;
            }
            self.send(step.signal);
            if wait_for(step.timeout, || self.has_ended().then_some(())).is_none() {
                tracing::warn!(server = self.server, signal = %step.signal, "the server did not stop at this signal");
            }
        }
    }

    /// Ends the server at once, as a crash would, and waits for its end.
    pub(crate) fn kill(&mut self) {
        if !self.has_ended() {
            self.send(Signal::SIGKILL);
            let _ = self.child.wait();
            self.has_ended();
        }
    }

    fn send(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // It fails only if the process is gone, which is what was wanted.
            let _ = signal::kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The command of the server behind its gate.
fn gated(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<Command, StackError> {
    let output = log.begin_run()?;
    let errors = output.try_clone().map_err(StackError::file("open", log.path()))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GATE, "rollcall-gate"]).arg(launch.program).args(&launch.arguments);
    // Nothing of the caller's environment: PGOPTIONS, GOGC and their like would change the servers.
    command.env_clear().envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command.process_group(0).current_dir(folder.path()).stdin(Stdio::piped()).stdout(output).stderr(errors);
    if let Some(account) = folder.account() {
        account.apply(&mut command);
    }
    Ok(command)
}
