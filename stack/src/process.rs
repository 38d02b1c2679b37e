//! One running server: its process, its guardian, and its end.
//!
//! The server has its own process group, so Ctrl-C reaches only this process, which then stops its
//! servers in order. The process begins as a shell that waits for a line before it becomes the
//! server, so the server never runs without its guardian.

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

/// Waits for a line, then becomes the server. If this process dies first, the input ends without a
/// line and the shell ends.
const GATE: &str = "read -r _ && exec \"$@\" </dev/null";

/// How to start a server.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The server's name for messages.
    pub(crate) server: &'static str,
    pub(crate) program: &'a Path,
    /// One argument names a path in the data folder, by which a later run recognises the process.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) plan: &'static [Step],
}

/// A started server. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    server: &'static str,
    child: Child,
    guardian: Guardian,
    plan: &'static [Step],
    has_ended: bool,
}

impl ServerProcess {
    /// Starts the server without waiting until it is ready.
    ///
    /// # Errors
    /// Only if a process cannot be started or its id cannot be written to a file.
    pub(crate) fn start(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<Self, StackError> {
        let failed = |source| StackError::Program { program: launch.program.to_owned(), source };
        let mut child = gated(launch, folder, log)?.spawn().map_err(failed)?;
        let gate = child.stdin.take();
        let guardian = Guardian::of_server(child.id(), launch.plan, folder.account());
        let mut process = match guardian {
            Ok(guardian) => Self { server: launch.server, child, guardian, plan: launch.plan, has_ended: false },
            Err(error) => {
                // The shell has not received its line, so it ends without becoming the server.
                drop(gate);
                let _ = child.wait();
                return Err(failed(error));
            }
        };
        orphan::write_pid(folder, process.pid())?;
        let opened = gate.map_or(Ok(()), |mut gate| gate.write_all(b"go\n"));
        match opened {
            // The shell has already ended; the caller notices that the server has ended.
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

    /// True if the server has ended, by itself or because this type stopped it.
    pub(crate) fn has_ended(&mut self) -> bool {
        if !self.has_ended && !matches!(self.child.try_wait(), Ok(None)) {
            self.has_ended = true;
            self.guardian.dismiss();
        }
        self.has_ended
    }

    /// Waits until `is_ready` returns true.
    ///
    /// # Errors
    /// [`StackError::Exited`] if the server ends first, [`StackError::NotReady`] after the timeout.
    pub(crate) fn wait_until_ready(
        &mut self,
        timeout: Duration,
        log: &ServerLog,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), StackError> {
        let server = self.server;
        let log_path = || -> PathBuf { log.path().to_owned() };
        let outcome = wait_for(timeout, || {
            if self.has_ended() {
                Some(Err(StackError::Exited { server, log: log_path(), tail: log.tail() }))
            } else {
                is_ready().then_some(Ok(()))
            }
        });
        let waited_secs = timeout.as_secs();
        outcome.unwrap_or_else(|| Err(StackError::NotReady { server, waited_secs, log: log_path(), tail: log.tail() }))
    }

    /// Stops the server with the signals of its plan and waits until it has ended.
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

    /// Kills the server, as a crash would, and waits until it has ended.
    pub(crate) fn kill(&mut self) {
        if !self.has_ended() {
            self.send(Signal::SIGKILL);
            let _ = self.child.wait();
            self.has_ended();
        }
    }

    fn send(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // This fails only if the process has already ended.
            let _ = signal::kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The command that runs [`GATE`] with the server's command line as arguments.
fn gated(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<Command, StackError> {
    let output = log.begin_run()?;
    let errors = output.try_clone().map_err(StackError::file("open", log.path()))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GATE, "rollcall-gate"]).arg(launch.program).args(&launch.arguments);
    // The caller's environment is left out, because variables such as PGOPTIONS and GOGC would
    // change the servers.
    command.env_clear().envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command.process_group(0).current_dir(folder.path()).stdin(Stdio::piped()).stdout(output).stderr(errors);
    if let Some(account) = folder.account() {
        account.apply(&mut command);
    }
    Ok(command)
}
