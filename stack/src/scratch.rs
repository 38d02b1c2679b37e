//! The temporary folder of an ephemeral stack. It is removed with the stack.
//!
//! A killed process cannot remove its folder. Therefore each process holds a lock in its folder, which
//! the kernel releases when the process ends, and a process that creates a folder first removes those
//! whose locks are free. It removes only folders of this name that belong to this user and contain a
//! lock.

use std::env;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::account::Account;
use crate::folder::Folder;
use crate::{StackError, orphan, plan};

const PREFIX: &str = "rollcall-ephemeral-";
const LOCK: &str = "ephemeral.lock";

/// A temporary folder. Dropping it removes the folder and its content.
#[derive(Debug)]
pub(crate) struct Scratch {
    // Declared before the lock, which must hold until the folder is gone.
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Creates a folder, after removing those that killed runs left behind.
    ///
    /// # Errors
    /// Only if no folder can be created. It logs folders that it cannot remove.
    pub(crate) fn make() -> Result<Self, StackError> {
        let base = base()?;
        remove_abandoned(&base);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map_err(StackError::file("create a folder in", &base))?;
        let path = folder.path().join(LOCK);
        let lock = File::create(&path).and_then(|lock| lock.lock().map(|()| lock)).map_err(StackError::file("lock", &path))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The system's folder for temporary files, unless the servers' account cannot enter it.
fn base() -> Result<PathBuf, StackError> {
    let usual = env::temp_dir();
    match Account::for_servers()? {
        Some(account) if !account.can_reach(&usual) => Ok(PathBuf::from("/var/tmp")),
        _ => Ok(usual),
    }
}

fn remove_abandoned(base: &Path) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    for folder in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)).map(|entry| entry.path()) {
        match remove_if_abandoned(&folder) {
            Ok(true) => tracing::info!(folder = %folder.display(), "removed what a killed run left behind"),
            Ok(false) => {}
            Err(error) => tracing::warn!(folder = %folder.display(), %error, "cannot remove what a killed run left behind"),
        }
    }
}

/// True if the folder belonged to a killed run and was removed.
fn remove_if_abandoned(folder: &Path) -> io::Result<bool> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(false);
    }
    // A folder without a lock is new, and its owner is about to lock it.
    let lock = match File::open(folder.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    for (name, plan) in [("postgres", plan::POSTGRES), ("nats", plan::NATS)] {
        let path = folder.join(name);
        // The guardians may not have finished, or may have been killed too.
        if path.is_dir() {
            let server = Folder::open(&path).map_err(io::Error::other)?;
            orphan::stop(&server, plan);
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(true)
}
