//! A private nats-server with JetStream, configured by the repository's `nats-server.conf`.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::folder::Folder;
use crate::log::ServerLog;
use crate::process::{Launch, ServerProcess};
use crate::{Search, StackError, nats_program, orphan, plan, port};

/// The file that production uses too; values that differ come from the environment.
const CONFIGURATION: &str = include_str!("../../nats-server.conf");
const CONFIGURATION_FILE: &str = "nats-server.conf";

/// Timeout of a start. The server reads the files of its streams before it is ready, which takes
/// seconds for large ones.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout of one health check. A server on 127.0.0.1 that needs longer hangs.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Limit for the size of all streams together. The server reserves nothing, and most disks are full
/// before the limit is reached.
const MAX_FILE_STORE: &str = "64GB";

/// The user of a connection. `nats-server.conf` says what each user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatsUser {
    /// The API: publishes events. Its inboxes begin with `_INBOX_api`.
    Api,
    /// The worker: consumes events and publishes dead letters. Its inboxes begin with `_INBOX_worker`.
    Worker,
    /// Creates and changes streams. Its inboxes begin with `_INBOX_admin`.
    Admin,
}

impl NatsUser {
    /// The user's name in `nats-server.conf`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }
}

/// The passwords of the three users.
#[derive(Debug)]
struct Passwords {
    api: String,
    worker: String,
    admin: String,
}

/// A running nats-server that listens only on 127.0.0.1. Dropping it stops the server.
#[derive(Debug)]
pub struct NatsServer {
    // Declared before the folder, so that the server stops before the lock ends.
    process: ServerProcess,
    log: ServerLog,
    setup: Setup,
    ports: [u16; 2],
    folder: Folder,
}

/// What a restart needs, except for the ports.
#[derive(Debug)]
struct Setup {
    program: PathBuf,
    store: PathBuf,
    passwords: Passwords,
}

impl NatsServer {
    /// Starts a server that keeps its streams in `dir`, and waits until it accepts connections and
    /// JetStream is ready. It creates the folder if necessary.
    ///
    /// If this process is root, the server runs as `postgres` or `nobody`. If that account cannot
    /// enter `dir`, the data is in a folder in `/var/tmp` instead.
    ///
    /// # Errors
    /// If no nats-server of 2.10 or newer is found, if another process uses the folder, if the folder
    /// cannot be used, or if the server does not start; the last lines of its log say why.
    pub fn start(dir: &Path) -> Result<Self, StackError> {
        Self::start_with(dir, &Search::from_env())
    }

    /// Like [`NatsServer::start`], but looks for the program in the places of `search`.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn start_with(dir: &Path, search: &Search) -> Result<Self, StackError> {
        let program = nats_program::find(search)?;
        let folder = Folder::open(dir)?;
        orphan::stop(&folder, plan::NATS);
        let configuration = folder.path().join(CONFIGURATION_FILE);
        fs::write(&configuration, CONFIGURATION).map_err(StackError::file("write", &configuration))?;
        let setup = Setup {
            program: nats_program::reachable(program, &folder)?,
            store: folder.server_folder("store")?,
            passwords: Passwords {
                api: folder.password("password.api")?,
                worker: folder.password("password.worker")?,
                admin: folder.password("password.admin")?,
            },
        };
        let mut log = ServerLog::at(folder.path().join("nats-server.log"));
        let (process, ports) = port::with_free_ports(|ports| Ok((setup.launch(&folder, &mut log, ports)?, ports)))?;
        Ok(Self { process, log, setup, ports, folder })
    }

    /// The connection URL of a user, with the password.
    #[must_use]
    pub fn url(&self, user: NatsUser) -> String {
        let password = match user {
            NatsUser::Api => &self.setup.passwords.api,
            NatsUser::Worker => &self.setup.passwords.worker,
            NatsUser::Admin => &self.setup.passwords.admin,
        };
        format!("nats://{}:{password}@127.0.0.1:{}", user.name(), self.port())
    }

    /// The URL of the monitoring endpoints (`/healthz`, `/varz`, `/jsz`), without a slash at its end.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// The client port on 127.0.0.1; the same for the life of this value.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The nats-server program that was found.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.setup.program
    }

    /// The folder of the streams.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.setup.store
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The process id of the latest server, even if it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// True while the server has not ended.
    pub fn is_running(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Kills the server as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again on the same ports and streams, stopping it first if it runs.
    ///
    /// # Errors
    /// If the server does not start, for example because a port was taken meanwhile.
    pub fn restart(&mut self) -> Result<(), StackError> {
        self.process.stop();
        self.process = self.setup.launch(&self.folder, &mut self.log, self.ports)?;
        Ok(())
    }

    /// Stops the server. Does nothing if it has ended.
    pub fn stop(&mut self) {
        self.process.stop();
    }
}

impl Setup {
    fn launch(&self, folder: &Folder, log: &mut ServerLog, ports: [u16; 2]) -> Result<ServerProcess, StackError> {
        let launch = Launch {
            server: "nats-server",
            program: &self.program,
            arguments: vec!["-c".into(), folder.path().join(CONFIGURATION_FILE).into()],
            environment: self.environment(ports),
            plan: plan::NATS,
        };
        let mut process = ServerProcess::start(&launch, folder, log)?;
        // Only this server writes to the log, so an unrelated server on one of the ports is not
        // mistaken for it.
        process.wait_until_ready(READY_TIMEOUT, log, || log.of_this_run().contains("Server is ready") && is_healthy(ports[1]))?;
        Ok(process)
    }

    fn environment(&self, [port, monitor]: [u16; 2]) -> Vec<(&'static str, OsString)> {
        vec![
            ("NATS_LISTEN", "127.0.0.1".into()),
            ("NATS_PORT", port.to_string().into()),
            ("NATS_HTTP_PORT", monitor.to_string().into()),
            ("NATS_STORE_DIR", quoted(&self.store).into()),
            ("NATS_MAX_FILE_STORE", MAX_FILE_STORE.into()),
            ("NATS_API_PASSWORD", self.passwords.api.clone().into()),
            ("NATS_WORKER_PASSWORD", self.passwords.worker.clone().into()),
            ("NATS_ADMIN_PASSWORD", self.passwords.admin.clone().into()),
        ]
    }
}

/// A path in quotation marks, because it may contain spaces or begin with a digit.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// True if the monitoring port says that the server and JetStream are ready.
fn is_healthy(monitor: u16) -> bool {
    let probe = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, monitor))?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    probe().is_ok_and(|answer| answer.lines().next().is_some_and(|status| status.ends_with("200 OK")))
}
