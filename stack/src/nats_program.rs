//! How to find the nats-server program and check its version.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::Folder;
use crate::{Search, StackError};

/// The first version with `sync_interval: always`, without which an acknowledged event can be lost.
const OLDEST: (u32, u32) = (2, 10);

/// Finds the best nats-server.
///
/// # Errors
/// [`StackError::NatsMissing`] if there is none, [`StackError::NatsTooOld`] if all are too old,
/// [`StackError::Program`] if a program that was found cannot be run.
pub(crate) fn find(search: &Search) -> Result<PathBuf, StackError> {
    let mut refused = StackError::NatsMissing;
    for program in search.nats_servers() {
        match check(&program) {
            Ok(()) => return Ok(program),
            // The error is about the first program that was found, because the developer most likely
            // means that one.
            Err(error) if matches!(refused, StackError::NatsMissing) => refused = error,
            Err(_) => {}
        }
    }
    Err(refused)
}

/// The program itself, or a copy in the data folder if the server's account cannot run it, for
/// example because it is in a checkout in root's home.
///
/// # Errors
/// Only if it cannot be copied.
pub(crate) fn reachable(program: PathBuf, folder: &Folder) -> Result<PathBuf, StackError> {
    let Some(account) = folder.account() else { return Ok(program) };
    if account.can_reach(&program) {
        return Ok(program);
    }
    let copy = folder.path().join(program.file_name().unwrap_or_default());
    // This does not use fs::copy: a child process that another thread forks at this moment would
    // inherit the file while it is open for writing, and Linux does not run a program that somebody
    // has open for writing.
    let copied = Command::new("cp")
        .arg("-f")
        .arg(&program)
        .arg(&copy)
        .status()
        .and_then(|status| if status.success() { Ok(()) } else { Err(io::Error::other(format!("cp: {status}"))) });
    copied.map_err(StackError::file("copy the server to", &copy))?;
    Ok(copy)
}

fn check(program: &Path) -> Result<(), StackError> {
    let output =
        Command::new(program).arg("-v").output().map_err(|source| StackError::Program { program: program.to_owned(), source })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("nats-server: ").to_owned();
    match parse(&version) {
        Some(version) if version >= OLDEST => Ok(()),
        _ => Err(StackError::NatsTooOld { program: program.to_owned(), version }),
    }
}

/// Parses the major and minor version of `v2.15.1` or `v2.12.0-RC.1`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, parse};

    #[test]
    fn versions_compare_by_number_and_not_by_text() {
        assert!(parse("v2.9.10") < Some(OLDEST));
        assert!(parse("v2.10.0") >= Some(OLDEST));
        assert!(parse("v2.15.1") >= Some(OLDEST));
        assert!(parse("v3.0.0-RC.1") >= Some(OLDEST));
        assert_eq!(parse("command not found"), None);
    }
}
