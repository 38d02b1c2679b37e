//! A temporary folder that goes with the process that made it.
//!
//! A process that is killed, or keeps the folder to its end, does not remove it. Then a guardian does. If the
//! guardian was killed too, the next process does: each folder has a lock in it, which ends with its process,
//! and whoever makes the next folder removes those whose locks are free. Nothing else is touched: only
//! folders of this name, of this user, with a lock in them.

use std::env;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::account::Account;
use crate::folder::{self, Folder};
use crate::guardian::Guardian;
use crate::{StackError, orphan, plan};

const PREFIX: &str = "rollcall-ephemeral-";
const LOCK: &str = "ephemeral.lock";
/// The lock's name until it is held.
const LOCK_TO_BE: &str = "ephemeral.lock.new";

/// A temporary folder. Dropping it removes the folder and all in it, and so does the end of the process.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    guardian: Guardian,
    _lock: File,
}

impl Scratch {
    /// Makes a folder. The first call of a process removes those that killed runs left behind.
    ///
    /// # Errors
    /// Only if no folder can be made. One that cannot be removed is none.
    pub fn make() -> Result<Self, StackError> {
        static SWEPT: Once = Once::new();
        let base = base()?;
        SWEPT.call_once(|| remove_abandoned(&base));
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map_err(StackError::file("create a folder in", &base))?;
        // Servers may have their data directly below it.
        let path = folder::make(folder.path())?;
        let lock = lock(&path).map_err(StackError::file("lock", &path))?;
        let guardian =
            Guardian::of_folder(&path).map_err(|source| StackError::Program { program: PathBuf::from("/bin/sh"), source })?;
        // From here on the guardian removes it.
        let _ = folder.keep();
        Ok(Self { path, guardian, _lock: lock })
    }

    /// The folder, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the folder stay for good, for somebody to look at, and returns its path.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        self.guardian.dismiss();
        // A folder without a lock is nobody's to remove.
        let _ = fs::remove_file(self.path.join(LOCK));
        std::mem::take(&mut self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return; // It was kept.
        }
        // What cannot be removed now is the guardian's to remove.
        if fs::remove_dir_all(&self.path).is_ok() {
            self.guardian.dismiss();
        }
    }
}

/// Makes the lock of a folder. It gets its name when it is held: nobody may find it free before.
fn lock(folder: &Path) -> io::Result<File> {
    let unnamed = folder.join(LOCK_TO_BE);
    let lock = File::create(&unnamed)?;
    lock.lock()?;
    fs::rename(unnamed, folder.join(LOCK))?;
    Ok(lock)
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
