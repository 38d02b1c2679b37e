//! A private PostgreSQL server.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::folder::Folder;
use crate::log::ServerLog;
use crate::postgres_program::PostgresPrograms;
use crate::process::{Launch, ServerProcess};
use crate::wait::wait_for;
use crate::{Search, StackError, cluster, orphan, plan, port};

/// Timeout of a start. After a kill, the server recovers at most `max_wal_size` of log, which takes
/// less.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the start waits for the children of a killed postmaster to end.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings for a developer's machine. `fsync` and `synchronous_commit` stay on, as by default, so
/// that tests and measurements have the cost of production.
const SETTINGS: [(&str, &str); 11] = [
    ("listen_addresses", "127.0.0.1"),
    // The path of a Unix socket has at most 107 bytes, and the path of a data folder may be longer.
    ("unix_socket_directories", ""),
    // Tests run in parallel, and each has its own connection pools.
    ("max_connections", "200"),
    ("shared_buffers", "256MB"),
    // A bulk load would otherwise cause a checkpoint every few seconds.
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    // Costs of solid-state disks, for the query planner.
    ("random_page_cost", "1.1"),
    ("effective_io_concurrency", "100"),
    // Dates have the same meaning on every machine.
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%d "),
];

/// A running PostgreSQL with the user and the database `rollcall`, which listens only on 127.0.0.1.
/// Dropping it stops the server.
#[derive(Debug)]
pub struct Postgres {
    // Declared before the folder, so that the server stops before the lock ends.
    process: ServerProcess,
    log: ServerLog,
    programs: PostgresPrograms,
    password: String,
    port: u16,
    folder: Folder,
}

impl Postgres {
    /// Starts a server that keeps its data in `dir`, and waits until it accepts connections. It
    /// creates the folder and the database if necessary.
    ///
    /// If this process is root, the server runs as `postgres` or `nobody`. If that account cannot
    /// enter `dir`, the data is in a folder in `/var/tmp` instead. After a killed run, the server
    /// recovers its data.
    ///
    /// # Errors
    /// If no PostgreSQL 15 or newer is installed, if another process uses the folder, if the folder
    /// cannot be used, or if the server does not start; the last lines of its log say why.
    pub fn start(dir: &Path) -> Result<Self, StackError> {
        Self::start_with(dir, &Search::from_env())
    }

    /// Like [`Postgres::start`], but looks for the programs in the places of `search`.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_with(dir: &Path, search: &Search) -> Result<Self, StackError> {
        let folder = Folder::open(dir)?;
        orphan::stop(&folder, plan::POSTGRES);
        let made_by = cluster::major(&folder);
        let programs = PostgresPrograms::find(search, made_by)?.ok_or_else(|| StackError::PostgresMajorMissing {
            data: cluster::path(&folder),
            major: made_by.unwrap_or_default(),
        })?;
        let password = folder.password(cluster::PASSWORD_FILE)?;
        if made_by.is_some() {
            // The folder may have belonged to another user until now.
            cluster::take_over(&folder)?;
        } else {
            cluster::create(&folder, &programs)?;
        }
        let mut log = ServerLog::at(folder.path().join("postgres.log"));
        let (process, port) = port::with_free_ports(|[port]| Ok((launch(&programs, &folder, &mut log, port)?, port)))?;
        Ok(Self { process, log, programs, password, port, folder })
    }

    /// The connection URL of a database, with the superuser's name and password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{}:{}@127.0.0.1:{}/{database}", cluster::NAME, self.password, self.port)
    }

    /// The port on 127.0.0.1; the same for the life of this value.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's programs, where the client programs of its version are too.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.programs.folder()
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The process id of the latest postmaster, even if it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// True while the postmaster has not ended.
    pub fn is_running(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Kills the postmaster as a crash would (SIGKILL). Its children end by themselves.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again on the same port and data, stopping it first if it runs.
    ///
    /// # Errors
    /// If the server does not start, for example because its port was taken meanwhile.
    pub fn restart(&mut self) -> Result<(), StackError> {
        self.process.stop();
        self.process = launch(&self.programs, &self.folder, &mut self.log, self.port)?;
        Ok(())
    }

    /// Stops the server, which ends its sessions and writes a checkpoint. If that takes more than 6
    /// s, the server stops without a checkpoint and the next start recovers. Does nothing if it has
    /// ended.
    pub fn stop(&mut self) {
        self.process.stop();
    }
}

fn launch(programs: &PostgresPrograms, folder: &Folder, log: &mut ServerLog, port: u16) -> Result<ServerProcess, StackError> {
    cluster::forget_stranger(folder)?;
    let mut arguments: Vec<OsString> = vec!["-D".into(), cluster::path(folder).into()];
    for (name, value) in SETTINGS {
        arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    // After a checkpoint, PostgreSQL logs whole pages; compressed, they take less time to write and
    // sync.
    let wal_compression = programs.wal_compression(&cluster::path(folder));
    for (name, value) in [("wal_compression", wal_compression), ("port", &port.to_string())] {
        arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    let program = programs.postgres();
    let launch = Launch {
        server: "PostgreSQL",
        program: &program,
        arguments,
        environment: vec![("LC_ALL", "C".into())],
        plan: plan::POSTGRES,
    };
    let outcome = wait_for(PREDECESSOR_TIMEOUT, || match start(&launch, folder, log) {
        Err(error) if error.is_predecessor_leaving() => None,
        other => Some(other),
    });
    outcome.unwrap_or_else(|| start(&launch, folder, log))
}

fn start(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<ServerProcess, StackError> {
    let mut process = ServerProcess::start(launch, folder, log)?;
    let pid = process.pid();
    process.wait_until_ready(READY_TIMEOUT, log, || cluster::is_ready(folder, pid))?;
    Ok(process)
}
