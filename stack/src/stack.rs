//! Both servers in one data folder.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::account::Account;
use crate::{NatsServer, Postgres, Search, StackError, folder};

/// PostgreSQL and nats-server, in `<data>/postgres` and `<data>/nats`. Dropping it stops both.
#[derive(Debug)]
pub struct Stack {
    /// The database server; it stops first.
    pub postgres: Postgres,
    /// The message server.
    pub nats: NatsServer,
    folder: PathBuf,
    /// The data folder, if it goes with this value; declared last, to be removed last.
    _scratch: Option<TempDir>,
}

impl Stack {
    /// Starts both servers with their data below `data`.
    ///
    /// # Errors
    /// As [`Postgres::start`] and [`NatsServer::start`]. What was started is stopped again.
    pub fn start(data: &Path) -> Result<Self, StackError> {
        Self::start_with(data, &Search::from_env())
    }

    /// Like [`Stack::start`], with the programs looked for where `search` says.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_with(data: &Path, search: &Search) -> Result<Self, StackError> {
        let data = folder::make(data)?;
        // The quicker one first: if it cannot start, nobody waits for a database to be made.
        let nats = NatsServer::start_with(&data.join("nats"), search)?;
        let postgres = Postgres::start_with(&data.join("postgres"), search)?;
        Ok(Self { postgres, nats, folder: data, _scratch: None })
    }

    /// Starts both servers in a temporary folder that is removed when they have stopped.
    ///
    /// # Errors
    /// As [`Stack::start`], and if no temporary folder can be made.
    pub fn ephemeral() -> Result<Self, StackError> {
        let base = temporary_base()?;
        let scratch = tempfile::Builder::new()
            .prefix("rollcall-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map_err(StackError::file("create a folder in", &base))?;
        let stack = Self::start(scratch.path())?;
        Ok(Self { _scratch: Some(scratch), ..stack })
    }

    /// The data folder, absolute. Further servers may have folders of their own below it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops PostgreSQL, then nats-server.
    pub fn stop(self) {
        drop(self);
    }
}

/// The system's folder for temporary files, unless the servers' account cannot enter it.
fn temporary_base() -> Result<PathBuf, StackError> {
    let usual = env::temp_dir();
    match Account::for_servers()? {
        Some(account) if !account.can_reach(&usual) => Ok(PathBuf::from("/var/tmp")),
        _ => Ok(usual),
    }
}
