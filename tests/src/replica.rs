//! Replicas that are replaced by those of another version.

use std::path::{Path, PathBuf};

use rollcall_stack::NatsUser;
use tokio::process::Command;

use crate::app::variables;
use crate::{AppOptions, Process, Servers, binary, free_port};

/// The programs of one version.
#[derive(Debug, Clone)]
pub struct Version {
    name: &'static str,
    folder: PathBuf,
}

impl Version {
    /// The programs that are tested.
    ///
    /// # Panics
    /// If they were not built.
    #[must_use]
    pub fn current() -> Self {
        Self { name: "new", folder: binary("api").parent().expect("a folder").to_owned() }
    }

    /// The programs in the folder that `UPGRADE_FROM` names, as `make upgrade` does; without it, the same as
    /// [`Version::current`].
    ///
    /// # Panics
    /// As [`Version::current`].
    #[must_use]
    pub fn previous() -> Self {
        match std::env::var_os("UPGRADE_FROM") {
            Some(folder) => Self { name: "old", folder: folder.into() },
            None => Self { name: "old", ..Self::current() },
        }
    }

    /// Runs this version's `rollcall migrate`.
    ///
    /// # Panics
    /// Unless it succeeds.
    pub async fn migrate(&self, servers: &Servers) {
        let mut migrate = Command::new(self.folder.join("rollcall"));
        // Away from any .env of a checkout.
        migrate.arg("migrate").env_clear().current_dir(servers.folder.path());
        migrate.env("DATABASE_URL", &servers.database_url).env("NATS_URL", servers.nats.url(NatsUser::Admin));
        let output = migrate.output().await.expect("rollcall can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// An API or a worker at an address that it keeps when it is replaced.
pub struct Replica {
    program: &'static str,
    listen: String,
    process: Process,
}

impl Replica {
    /// Starts an API (`api`) or a worker (`worker`) of a version.
    #[must_use]
    pub fn start(program: &'static str, version: &Version, servers: &Servers) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut process = process(program, &listen, version, servers);
        process.start();
        Self { program, listen, process }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Asks it to stop, waits for its end, and starts one of another version in its place.
    ///
    /// # Errors
    /// What was wrong with its end.
    pub async fn replace(&mut self, version: &Version, servers: &Servers) -> Result<(), String> {
        self.process.stop().await?;
        self.process = process(self.program, &self.listen, version, servers);
        self.process.start();
        Ok(())
    }

    /// What the last of them has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn process(program: &'static str, listen: &str, version: &Version, servers: &Servers) -> Process {
    let (user, variable) = if program == "api" { (NatsUser::Api, "API_LISTEN") } else { (NatsUser::Worker, "WORKER_LISTEN") };
    let mut variables = variables(&servers.database_url, &servers.nats, user, &AppOptions::default());
    variables.extend([(variable, listen.to_owned()), ("LOG_LEVEL", "info,async_nats=warn".to_owned())]);
    let name = format!("{program}-{listen}-{}", version.name);
    let folder: &Path = servers.folder.path();
    Process::new(name, version.program(program), variables, folder.to_owned())
}
