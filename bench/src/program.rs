//! Programs under test: real processes that end with this one, and what memory they took.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Starts the program in the background, tells its process id, and stops it when standard input
/// ends: when this process drops it or dies.
const GUARD: &str = "log=$1; shift; \"$@\" >\"$log\" 2>&1 & echo $!; read -r _; kill $!; wait $!";

/// Lines of a log that are shown when its program fails.
const TAIL_BYTES: i64 = 2_000;

/// What to run. Its environment is this process's own and what is added here.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Where it runs, so that a `.env` of the caller's folder is not read.
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
}

/// A running program. Dropping it stops it and waits for its end.
#[derive(Debug)]
pub(crate) struct Program {
    guard: Child,
    pid: u32,
    log: PathBuf,
}

impl Program {
    /// Starts it; whether it is ready is the caller's to find out.
    pub(crate) fn start(launch: Launch) -> anyhow::Result<Self> {
        let Launch { program, arguments, variables, folder, log } = launch;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "rollcall-bench"])
            .arg(&log)
            .arg(&program)
            .args(arguments)
            .envs(variables)
            .current_dir(folder)
            // Ctrl-C reaches this process alone, which then stops its programs.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell would tell of the end that it brought about itself.
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut line = String::new();
        let stdout = guard.stdout.take().context("the guard has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let pid = line.trim().parse().context("the guard tells no process id")?;
        Ok(Self { guard, pid, log })
    }

    /// The most memory it ever held (resident), in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))
            .with_context(|| format!("a program has ended; its log says:\n{}", self.log_tail()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).context("no VmHWM")?;
        Ok(kib / 1024.0)
    }

    /// The end of its log.
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
