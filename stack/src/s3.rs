//! A private server that speaks S3: SeaweedFS, with its data in a folder.
//!
//! It is for tests, and for whoever wants to see the archive in a bucket ([`S3Server::make_bucket`]).

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::folder::Folder;
use crate::log::ServerLog;
use crate::process::{Launch, ServerProcess};
use crate::{Search, StackError, nats_program, orphan, plan, port};

/// Timeout of a start, which takes about four seconds on an idle machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Timeout of one health check.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The name of the only user. The password is random.
const USER: &str = "rollcall";

/// A running SeaweedFS that listens only on 127.0.0.1. Dropping it stops the server.
#[derive(Debug)]
pub struct S3Server {
    // Declared before the folder, so that the server stops before the lock ends.
    process: ServerProcess,
    log: ServerLog,
    setup: Setup,
    ports: Ports,
    folder: Folder,
}

/// The ports of its parts: master, volumes, files and S3, each for HTTP and for gRPC. Without an explicit one, a port for
/// gRPC is that for HTTP and 10,000.
type Ports = [u16; 8];

/// What a restart needs, except for the ports.
#[derive(Debug)]
struct Setup {
    program: PathBuf,
    store: PathBuf,
    configuration: PathBuf,
    password: String,
}

impl S3Server {
    /// Starts a server that keeps its objects in `dir`, and waits until it answers. It creates the folder if necessary.
    ///
    /// # Errors
    /// If no `weed` is found, if another process uses the folder, if the folder cannot be used, or if the server does not
    /// start; the last lines of its log say why.
    pub fn start(dir: &Path) -> Result<Self, StackError> {
        Self::start_with(dir, &Search::from_env())
    }

    /// Like [`S3Server::start`], but looks for the program in the places of `search`.
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn start_with(dir: &Path, search: &Search) -> Result<Self, StackError> {
        let program = search.s3_servers().into_iter().next().ok_or(StackError::S3Missing)?;
        let folder = Folder::open(dir)?;
        orphan::stop(&folder, plan::S3);
        let password = folder.password("password.s3")?;
        let setup = Setup {
            program: nats_program::reachable(program, &folder)?,
            store: folder.server_folder("store")?,
            configuration: write_configuration(&folder, &password)?,
            password,
        };
        let mut log = ServerLog::at(folder.path().join("s3.log"));
        let (process, ports) = port::with_free_ports(|ports| Ok((setup.launch(&folder, &mut log, ports)?, ports)))?;
        Ok(Self { process, log, setup, ports, folder })
    }

    /// Its address, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    /// The name of its user, for `AWS_ACCESS_KEY_ID`.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's password, for `AWS_SECRET_ACCESS_KEY`.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.setup.password
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Makes a bucket, which may exist. The name is one of lower-case letters and digits.
    ///
    /// # Errors
    /// If the server refuses it or does not answer.
    pub fn make_bucket(&self, name: &str) -> Result<(), StackError> {
        // A bucket is a folder at this place among the files, which are reached without credentials from this machine only.
        let path = format!("/buckets/{name}/");
        let made = answer(self.ports[4], "POST", &path)
            .and_then(|status| if status.contains(" 201 ") { Ok(()) } else { Err(std::io::Error::other(status)) });
        made.map_err(StackError::file("make", Path::new(&path)))
    }

    /// Kills the server as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again on the same ports and objects, stopping it first if it runs.
    ///
    /// # Errors
    /// If the server does not start, for example because a port was taken meanwhile.
    pub fn restart(&mut self) -> Result<(), StackError> {
        self.process.stop();
        self.process = self.setup.launch(&self.folder, &mut self.log, self.ports)?;
        Ok(())
    }
}

impl Setup {
    fn launch(&self, folder: &Folder, log: &mut ServerLog, ports: Ports) -> Result<ServerProcess, StackError> {
        let launch = Launch {
            server: "SeaweedFS",
            program: &self.program,
            arguments: self.arguments(folder, ports),
            environment: vec![("HOME", self.store.clone().into())],
            plan: plan::S3,
        };
        let mut process = ServerProcess::start(&launch, folder, log)?;
        process.wait_until_ready(READY_TIMEOUT, log, || {
            is_healthy(ports[0], "/cluster/status") && is_healthy(ports[6], "/healthz")
        })?;
        Ok(process)
    }

    fn arguments(&self, folder: &Folder, ports: Ports) -> Vec<OsString> {
        let [master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc] = ports;
        let path = |path: &Path| path.display().to_string();
        let socket = |name: &str| path(&folder.path().join("store").join(name));
        let options = [
            ("dir", path(&self.store)),
            ("ip", "127.0.0.1".to_owned()),
            ("ip.bind", "127.0.0.1".to_owned()),
            ("master.port", master.to_string()),
            ("master.port.grpc", master_grpc.to_string()),
            // It would tell its makers how it is used.
            ("master.telemetry", "false".to_owned()),
            ("master.volumeSizeLimitMB", "64".to_owned()),
            ("volume.port", volume.to_string()),
            ("volume.port.grpc", volume_grpc.to_string()),
            // As many volumes as there is room for. Each bucket needs several.
            ("volume.max", "0".to_owned()),
            ("volume.preStopSeconds", "0".to_owned()),
            ("filer", "true".to_owned()),
            ("filer.port", filer.to_string()),
            ("filer.port.grpc", filer_grpc.to_string()),
            ("filer.localSocket", socket("filer.sock")),
            ("s3", "true".to_owned()),
            ("s3.port", s3.to_string()),
            ("s3.port.grpc", s3_grpc.to_string()),
            ("s3.port.iceberg", "0".to_owned()),
            ("s3.port.lance", "0".to_owned()),
            ("s3.localSocket", socket("s3.sock")),
            ("s3.config", path(&self.configuration)),
        ];
        let options = options.into_iter().map(|(name, value)| OsString::from(format!("-{name}={value}")));
        std::iter::once(OsString::from("server")).chain(options).collect()
    }
}

/// Writes the file that names the user.
fn write_configuration(folder: &Folder, password: &str) -> Result<PathBuf, StackError> {
    let path = folder.path().join("s3.json");
    let content = format!(
        r#"{{"identities":[{{"name":"{USER}","credentials":[{{"accessKey":"{USER}","secretKey":"{password}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    );
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    opened
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .and_then(|()| match folder.account() {
            Some(account) => chown(&path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        })
        .map_err(StackError::file("write", &path))?;
    fs::canonicalize(&path).map_err(StackError::file("find", &path))
}

/// True if this path of a port answers 200.
fn is_healthy(port: u16, path: &str) -> bool {
    answer(port, "GET", path).is_ok_and(|status| status.ends_with("200 OK"))
}

/// The first line of the answer to a request without a body.
fn answer(port: u16, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(format!("{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
