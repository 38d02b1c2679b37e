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
    /// The temporary data folder of an ephemeral stack. It is declared last, so that it is removed
    /// after the servers have stopped.
    _scratch: Option<Scratch>,
}

impl Stack {
    /// Starts both servers with their data in `data`.
    ///
    /// # Errors
    /// As [`Postgres::start`] and [`NatsServer::start`]. If one server fails to start, the other is
    /// stopped.
    pub fn start(data: &Path) -> Result<Self, StackError> {
        Self::start_with(data, &Search::from_env())
    }

    /// Like [`Stack::start`], but looks for the programs in the places of `search`.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_with(data: &Path, search: &Search) -> Result<Self, StackError> {
        let data = folder::make(data)?;
        // nats-server starts first because it is quicker: if it cannot start, nobody waits until a
        // database is created.
        let nats = NatsServer::start_with(&data.join("nats"), search)?;
        let postgres = Postgres::start_with(&data.join("postgres"), search)?;
        Ok(Self { postgres, nats, folder: data, _scratch: None })
    }

    /// Starts both servers in a temporary folder that is removed when they have stopped, also if this
    /// process is killed.
    ///
    /// # Errors
    /// As [`Stack::start`], and if no temporary folder can be created.
    pub fn ephemeral() -> Result<Self, StackError> {
        let scratch = Scratch::make()?;
        let mut stack = Self::start(scratch.path())?;
        stack._scratch = Some(scratch);
        Ok(stack)
    }

    /// The absolute path of the data folder. Further servers may have their folders in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops both servers at the same time, which takes only as long as the slower one needs.
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
