//! Both servers in one data folder.

use std::path::{Path, PathBuf};
use std::thread;

use crate::scratch::Scratch;
use crate::{NatsServer, Postgres, Search, StackError, folder};

/// PostgreSQL and nats-server, in `<data>/postgres` and `<data>/nats`. Dropping it stops both at the
/// same time.
#[derive(Debug)]
pub struct Stack {
    /// The database server.
    pub postgres: Postgres,
    /// The message server.
    pub nats: NatsServer,
    folder: PathBuf,
    /// The data folder, if it goes with this value; declared last, to be removed last.
    _scratch: Option<Scratch>,
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

    /// Starts both servers in a temporary folder that is removed when they have stopped. Those of runs
    /// that were killed are removed first.
    ///
    /// # Errors
    /// As [`Stack::start`], and if no temporary folder can be made.
    pub fn ephemeral() -> Result<Self, StackError> {
        let scratch = Scratch::make()?;
        let mut stack = Self::start(scratch.path())?;
        stack._scratch = Some(scratch);
        Ok(stack)
    }

    /// The data folder, absolute. Further servers may have folders of their own below it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops both servers at the same time: neither needs the other, and whoever waits for the end
    /// waits for the slower one only.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        thread::scope(|scope| {
            scope.spawn(|| self.nats.stop());
            self.postgres.stop();
        });
    }
}
