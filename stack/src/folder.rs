//! The data folder of one server: locked, private, and reachable for the account that the server
//! runs as.
//!
//! When this process is root, root keeps the folder itself, and the server's account gets only what
//! the server must write. So an attacker who controls the server cannot make root follow a symbolic
//! link.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::{StackError, secret};

/// The owner may do everything; others may only pass through to the sub-folders that belong to
/// them.
const PASSABLE: u32 = 0o711;

/// Where the data goes if the servers' account cannot reach the wanted folder: /var/tmp is on disk
/// and survives a restart.
const REACHABLE_BASE: &str = "/var/tmp";

/// An open data folder. The lock ends with this value, or with the process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    account: Option<Account>,
    _lock: File,
}

impl Folder {
    /// Creates the folder if it does not exist, and locks it.
    ///
    /// # Errors
    /// [`StackError::FolderInUse`] if another process has it open; otherwise only if the folder
    /// cannot be created or used.
    pub(crate) fn open(wanted: &Path) -> Result<Self, StackError> {
        let account = Account::for_servers()?;
        let path = make(wanted)?;
        let path = match &account {
            Some(account) => reachable(path, account)?,
            None => path,
        };
        let lock = lock(&path)?;
        Ok(Self { path, account, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The account that the server in this folder runs as; none if it is this process's own
    /// account.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Creates the sub-folder `name`, which only the server may read, or gives an existing one to
    /// the server's account.
    ///
    /// # Errors
    /// Only if the sub-folder cannot be created or given to the server's account.
    pub(crate) fn server_folder(&self, name: &str) -> Result<PathBuf, StackError> {
        let path = self.path.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(StackError::file("create", &path)(error));
            }
            _ => {}
        }
        if let Some(account) = &self.account {
            give(&path, account).map_err(StackError::file("change the owner of", &path))?;
        }
        Ok(path)
    }

    /// Reads the password in the file `name`, or generates one and writes it there.
    ///
    /// # Errors
    /// Only if the file cannot be read or written.
    pub(crate) fn password(&self, name: &str) -> Result<String, StackError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(kept) if !kept.trim().is_empty() => return Ok(kept.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StackError::file("read", &path)(error)),
        }
        let password = secret::password().map_err(StackError::file("read", Path::new("/dev/urandom")))?;
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        written
            .and_then(|mut file| writeln!(file, "{password}"))
            .and_then(|()| match &self.account {
                Some(account) => chown(&path, Some(account.uid), Some(account.gid)),
                None => Ok(()),
            })
            .map_err(StackError::file("write", &path))?;
        Ok(password)
    }
}

/// Creates the folder and lets the servers' account pass through it. The result is absolute and
/// contains no symbolic links, so two paths to one folder use the same lock.
pub(crate) fn make(wanted: &Path) -> Result<PathBuf, StackError> {
    fs::create_dir_all(wanted).map_err(StackError::file("create", wanted))?;
    let path = wanted.canonicalize().map_err(StackError::file("find", wanted))?;
    let metadata = fs::metadata(&path).map_err(StackError::file("look at", &path))?;
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() == 0 && mode & PASSABLE != PASSABLE && nix::unistd::geteuid().is_root() {
        fs::set_permissions(&path, Permissions::from_mode(mode | PASSABLE))
            .map_err(StackError::file("change the mode of", &path))?;
    }
    Ok(path)
}

/// The folder itself if `account` can enter it, or else a private folder of root, which is always
/// the same one for the same folder.
fn reachable(path: PathBuf, account: &Account) -> Result<PathBuf, StackError> {
    if account.can_reach(&path) {
        return Ok(path);
    }
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    let instead = Path::new(REACHABLE_BASE).join(format!("rollcall-{:016x}", hasher.finish()));
    match DirBuilder::new().mode(PASSABLE).create(&instead) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StackError::file("create", &instead)(error));
        }
        _ => {}
    }
    // Anybody could have created this folder before. It is safe only if root owns it, it is not a
    // link, and others cannot write to it; the sticky bit of /var/tmp then prevents others from
    // replacing it.
    let found = fs::symlink_metadata(&instead).map_err(StackError::file("look at", &instead))?;
    if !found.is_dir() || found.uid() != 0 || found.mode() & 0o022 != 0 {
        return Err(StackError::FolderNotOurs { folder: instead });
    }
    tracing::info!(
        folder = %path.display(),
        instead = %instead.display(),
        account = account.name,
        "the servers do not run as root and their account cannot enter the data folder: another is used instead"
    );
    Ok(instead)
}

fn lock(folder: &Path) -> Result<File, StackError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StackError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            return Err(StackError::FolderInUse { folder: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(StackError::file("lock", &path)(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(StackError::file("write", &path))?;
    Ok(file)
}

/// Gives a folder and its content to `account`, because another user may have started earlier runs.
/// It does not follow links.
fn give(path: &Path, account: &Account) -> io::Result<()> {
    if fs::symlink_metadata(path)?.uid() == account.uid {
        return Ok(());
    }
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), account)?;
        }
    }
    lchown(path, Some(account.uid), Some(account.gid))
}
