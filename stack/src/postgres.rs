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

/// Recovery after a kill reads at most `max_wal_size` again; more than this is a fault.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long the children of a killed postmaster may take to notice and leave.
const PREDECESSOR_LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// Settings for a developer's machine. `fsync` and `synchronous_commit` keep their defaults, on:
/// what is measured and tested here must cost what it costs in production.
const SETTINGS: [(&str, &str); 11] = [
    ("listen_addresses", "127.0.0.1"),
    // A socket's path may have 107 bytes at most, and data folders may be deeper.
    ("unix_socket_directories", ""),
    // Tests run in parallel, each with pools of its own.
    ("max_connections", "200"),
    ("shared_buffers", "256MB"),
    // Room for bulk loads without a checkpoint every few seconds.
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    // The planner's figures for solid-state disks.
    ("random_page_cost", "1.1"),
    ("effective_io_concurrency", "100"),
    // Dates mean the same on every machine.
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%d "),
];

/// A running PostgreSQL with user and database `rollcall`, on 127.0.0.1 only. Dropping it stops it.
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
    /// Starts the server whose data is in `dir`, after making the folder and the database if they
    /// are not there, and waits until it takes connections.
    ///
    /// If this process is root the server runs as `postgres` or `nobody`; if that account cannot
    /// enter `dir`, a folder in `/var/tmp` is used in its stead. Data of a killed run is recovered.
    ///
    /// # Errors
    /// If no PostgreSQL of 15 or newer is installed, if another process uses the folder, if the
    /// folder cannot be used, or if the server does not start; the last lines of its log say why.
    pub fn start(dir: &Path) -> Result<Self, StackError> {
        Self::start_with(dir, &Search::from_env())
    }

    /// Like [`Postgres::start`], with the programs looked for where `search` says.
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
            // The folder may have been another user's until now.
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

    /// The file that the server logs to.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The process id of the latest postmaster, also when it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// True while the postmaster has not ended.
    pub fn is_running(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Kills the postmaster as a crash would (SIGKILL); its children leave by themselves.
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

    /// Stops the server: its sessions are ended and a checkpoint is written. If it does not stop in
    /// 6 s it is made to, and the next start recovers. Does nothing if it has ended.
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
    // Less to write and sync for the full pages after a checkpoint.
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
    let outcome = wait_for(PREDECESSOR_LEAVES_WITHIN, || match start(&launch, folder, log) {
        Err(error) if error.is_predecessor_leaving() => None,
        other => Some(other),
    });
    outcome.unwrap_or_else(|| start(&launch, folder, log))
}

fn start(launch: &Launch<'_>, folder: &Folder, log: &mut ServerLog) -> Result<ServerProcess, StackError> {
    let mut process = ServerProcess::start(launch, folder, log)?;
    let pid = process.pid();
    process.wait_until_ready(READY_WITHIN, log, || cluster::is_ready(folder, pid))?;
    Ok(process)
}
