//! One service as a process: started, signalled, and watched for an end of its own.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How long a service that was asked to stop may take.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Lines of its log that are shown when a test fails.
const LOG_LINES: usize = 15;

/// A service's process. Dropping it kills the process, and shows the end of its log if a test has failed.
#[derive(Debug)]
pub struct Process {
    /// For messages, and of the log file.
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A process that does not run yet; its log is `<folder>/<name>.log`.
    #[must_use]
    pub fn new(name: String, program: PathBuf, environment: Vec<(&'static str, String)>, folder: PathBuf) -> Self {
        Self { name, program, arguments: Vec::new(), environment, folder, child: None }
    }

    /// The same with arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Starts it. All runs share one log.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&mut self) {
        let path = self.folder.join(format!("{}.log", self.name));
        let mut log = OpenOptions::new().create(true).append(true).open(&path).expect("a log can be written");
        writeln!(log, "--- started").expect("a log can be written");
        let output = log.try_clone().expect("a log can be shared");
        let mut command = Command::new(&self.program);
        // In the run's folder, so that no .env of a checkout is read.
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder);
        // In a group of its own, so that Ctrl-C in a terminal reaches the harness alone.
        command.process_group(0).stdin(Stdio::null()).stdout(output).stderr(log);
        self.child = Some(command.spawn().expect("the service can be started"));
    }

    /// What it has logged in all its runs so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(format!("{}.log", self.name))).unwrap_or_default()
    }

    /// Its process id, if it was started.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal, if it runs.
    ///
    /// # Panics
    /// If the system counts processes past 2^31.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
            // It fails only if the process is gone, which the supervisor will see.
            let _ = signal::kill(pid, signal);
        }
    }

    /// Stops it with SIGSTOP until it gets SIGCONT, and returns when no thread of it runs any more. The signal alone
    /// reaches one thread at first, and on a busy machine the others may go on for milliseconds.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stand_still(&self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw).expect("it was started");
        self.signal(Signal::SIGSTOP);
        let status = waitpid(pid, Some(WaitPidFlag::WUNTRACED));
        assert!(matches!(status, Ok(WaitStatus::Stopped(..))), "{} does not stand still: {status:?}", self.name);
    }

    /// Asks it to stop with SIGTERM and waits for its end. It is killed if that does not come in time.
    ///
    /// # Errors
    /// What was wrong with its end.
    pub async fn stop(&mut self) -> Result<(), String> {
        self.stop_by(Signal::SIGTERM).await
    }

    /// The same by another signal.
    ///
    /// # Errors
    /// What was wrong with its end.
    pub async fn stop_by(&mut self, signal: Signal) -> Result<(), String> {
        let asked = Instant::now();
        self.signal(signal);
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        while asked.elapsed() < STOP_TIMEOUT {
            tick.tick().await;
            match self.ended() {
                None => {}
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("{} ended with {status} after {signal}", self.name)),
            }
        }
        self.kill();
        Err(format!("{} did not stop within {STOP_TIMEOUT:?} of {signal}", self.name))
    }

    /// How the process ended since the last look, if it did.
    ///
    /// # Panics
    /// If the system does not know the process.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("a child can be waited for")?;
        self.child = None;
        Some(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the log of {}:\n{}", self.name, lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}
