//! Programs under test: separate processes that end with this one, and their peak memory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Starts the program in the background, prints its process id, and stops it when standard input ends, which
/// happens when this process closes the pipe or dies.
const GUARD: &str = "log=$1; shift; \"$@\" >\"$log\" 2>&1 & echo $!; read -r _; kill $!; wait $!";

/// Number of bytes at the end of a log that are shown if the program fails.
const TAIL_BYTES: i64 = 2_000;

/// How to start a program. It gets the environment of this process and `variables`.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The working directory of the program, so that it does not read a `.env` of the caller's folder.
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
}

/// A running program. Dropping it stops the program and waits until it has ended.
#[derive(Debug)]
pub(crate) struct Program {
    guard: Child,
    pid: u32,
    log: PathBuf,
}

impl Program {
    /// Starts the program without waiting until it is ready.
    pub(crate) fn start(launch: Launch) -> anyhow::Result<Self> {
        let Launch { program, arguments, variables, folder, log } = launch;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "rollcall-bench"])
            .arg(&log)
            .arg(&program)
            .args(arguments)
            .envs(variables)
            .current_dir(folder)
            // Ctrl-C then reaches only this process, which stops its programs.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell would print a message about the program that it has ended itself.
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut line = String::new();
        let stdout = guard.stdout.take().context("the guard has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let pid = line.trim().parse().context("the guard tells no process id")?;
        Ok(Self { guard, pid, log })
    }

    /// The peak resident memory in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))
            .with_context(|| format!("a program has ended; its log says:\n{}", self.log_tail()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).context("no VmHWM")?;
        Ok(kib / 1024.0)
    }

    /// The end of the program's log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
    file.seek(SeekFrom::End(-TAIL_BYTES.min(length)))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
