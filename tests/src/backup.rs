//! Backups of a running service, made and restored by the scripts that operators use.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rollcall_stack::Scratch;
use tokio::process::Command;

use crate::{App, AppOptions, Servers, Version};

/// A backup that is being made, of a service whose servers belong to this process.
pub struct Backup {
    folder: Scratch,
    /// The database that is dumped.
    pub database_url: String,
}

impl Backup {
    /// A backup of the service, which is not made yet.
    ///
    /// # Panics
    /// If there is no temporary folder.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self { folder: Scratch::make().expect("a temporary folder"), database_url: app.database_url.clone() }
    }

    /// Where the backup is, once it is made.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    /// Runs `stack/backup.sh`, and stops and starts nats-server when it says so.
    ///
    /// # Panics
    /// If the script cannot be run, or nats-server does not start again.
    pub async fn make(&self, app: &mut App) -> Output {
        let postgres = app.postgres.as_ref().expect("a server of the test's own");
        let mut script = script("backup.sh", &self.path(), postgres.programs(), app.nats.store(), &self.database_url);
        script.env("NATS_STOP", self.asks("stop")).env("NATS_START", self.asks("start"));
        let mut script = std::pin::pin!(script.output());
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            tokio::select! {
                output = &mut script => return output.expect("the script can be run"),
                _ = tick.tick() => {}
            }
            if self.takes("stop") {
                tokio::task::block_in_place(|| app.nats.stop());
                self.answer("stop");
            }
            if self.takes("start") {
                tokio::task::block_in_place(|| app.nats.restart()).expect("nats-server starts again");
                self.answer("start");
            }
        }
    }

    /// A command with which the script asks this process for something, and waits until it is done.
    fn asks(&self, what: &str) -> String {
        let asked = self.folder.path().join(what).display().to_string();
        format!("touch '{asked}' && until [ -e '{asked}.done' ]; do sleep 0.02; done")
    }

    /// Whether the script has just asked for it.
    fn takes(&self, what: &str) -> bool {
        std::fs::remove_file(self.folder.path().join(what)).is_ok()
    }

    fn answer(&self, what: &str) {
        std::fs::write(self.folder.path().join(format!("{what}.done")), "").expect("a file");
    }
}

/// A service on new servers that have nothing but what `stack/restore.sh` restores.
///
/// # Panics
/// If anything does not work.
pub async fn restore(backup: &Backup, options: AppOptions) -> App {
    let mut servers = Servers::empty().await;
    tokio::task::block_in_place(|| servers.nats.stop());
    // What the server has made before it had anything to keep.
    std::fs::remove_dir_all(servers.nats.store().join("jetstream")).expect("the folder of the streams");
    let programs = servers.postgres.as_ref().expect("a server of the test's own").programs();
    let mut script = script("restore.sh", &backup.path(), programs, servers.nats.store(), &servers.database_url);
    let output = script.output().await.expect("the script can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    tokio::task::block_in_place(|| servers.nats.restart()).expect("nats-server starts on what was restored");
    Version::current().migrate(&servers).await;
    App::start_on(servers, options).await
}

/// Runs `stack/restore.sh` onto the servers of a service that has something already.
///
/// # Panics
/// If the script cannot be run.
pub async fn restore_onto(backup: &Backup, app: &App) -> Output {
    let postgres = app.postgres.as_ref().expect("a server of the test's own");
    let mut script = script("restore.sh", &backup.path(), postgres.programs(), app.nats.store(), &app.database_url);
    script.output().await.expect("the script can be run")
}

fn script(name: &str, backup: &Path, programs: &Path, store: &Path, database_url: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg(format!("{}/../stack/{name}", env!("CARGO_MANIFEST_DIR"))).arg(backup).stdin(Stdio::null());
    let path = std::env::var("PATH").unwrap_or_default();
    // pg_dump must not be older than the server, and others may be installed.
    command.env_clear().env("PATH", format!("{}:{path}", programs.display()));
    command.env("NATS_STORE_DIR", store).env("DATABASE_URL", database_url);
    command
}
