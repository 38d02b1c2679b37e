//! A PostgreSQL data directory: how to create one, and how to read its files.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::StackError;
use crate::folder::Folder;
use crate::postgres_program::PostgresPrograms;

/// The superuser and the first database.
pub(crate) const NAME: &str = "rollcall";

/// The file of the superuser's password, in the data folder.
pub(crate) const PASSWORD_FILE: &str = "password";

/// The data directory within the data folder.
const DATA: &str = "data";
/// Name of a data directory while it is being created. It is renamed at the end, so that an
/// incomplete one is never used.
const UNFINISHED: &str = "data.unfinished";

/// The path of the folder's data directory, whether it exists or not.
pub(crate) fn path(folder: &Folder) -> PathBuf {
    folder.path().join(DATA)
}

/// The major version that created the data directory; none if there is no directory yet.
pub(crate) fn major(folder: &Folder) -> Option<u32> {
    fs::read_to_string(path(folder).join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Creates the data directory with the user and the database `rollcall`.
///
/// # Errors
/// Only if `initdb` or `postgres` fails, or a folder cannot be created or renamed.
pub(crate) fn create(folder: &Folder, programs: &PostgresPrograms) -> Result<(), StackError> {
    let unfinished = folder.path().join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(StackError::file("remove", &unfinished))?;
    }
    folder.server_folder(UNFINISHED)?;
    let password_file = folder.path().join(PASSWORD_FILE);
    let arguments = [
        "--no-locale".into(),
        "--encoding=UTF8".into(),
        "--auth=scram-sha-256".into(),
        format!("--username={NAME}").into(),
        with_path("--pwfile=", &password_file),
        with_path("--pgdata=", &unfinished),
    ];
    run(folder, &programs.initdb(), &arguments, "")?;
    // Single-user mode listens on no port, so nobody can connect before the database is complete.
    let arguments = ["--single".into(), "-D".into(), unfinished.clone().into(), "postgres".into()];
    run(folder, &programs.postgres(), &arguments, &format!("create database {NAME}\n"))?;
    fs::rename(&unfinished, path(folder)).map_err(StackError::file("rename", &unfinished))
}

/// Gives an existing data directory to the account that the server runs as.
///
/// # Errors
/// Only if its owner cannot be changed.
pub(crate) fn take_over(folder: &Folder) -> Result<(), StackError> {
    folder.server_folder(DATA).map(|_| ())
}

/// True if the postmaster `pid` says that it accepts connections.
pub(crate) fn is_ready(folder: &Folder, pid: u32) -> bool {
    // postmaster.pid has the process id in its first line and its status in its eighth.
    let text = fs::read_to_string(path(folder).join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

/// Removes a `postmaster.pid` whose process id now belongs to an unrelated process, because
/// PostgreSQL would refuse to start. Any other `postmaster.pid` stays: PostgreSQL uses it to find
/// out whether children of a killed postmaster still run.
///
/// # Errors
/// Only if the file cannot be removed.
pub(crate) fn forget_stranger(folder: &Folder) -> Result<(), StackError> {
    let file = path(folder).join("postmaster.pid");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok()) else { return Ok(()) };
    let is_alive = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH);
    if is_alive && !crate::orphan::belongs_to(pid, folder) {
        fs::remove_file(&file).map_err(StackError::file("remove", &file))?;
    }
    Ok(())
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

fn run(folder: &Folder, program: &Path, arguments: &[OsString], input: &str) -> Result<(), StackError> {
    let failed = |source| StackError::Program { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(account) = folder.account() {
        account.apply(&mut command);
    }
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // If the program ended early, its output explains why better than this error does.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(StackError::Initialise { program: program.to_owned(), output: String::from_utf8_lossy(&text).into_owned() })
}
