//! Where the servers' programs are looked for. Nothing is run or judged here.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that `make prepare` installs into, below the checkout.
const TOOLS: &str = ".tools/bin";

/// Folders whose sub-folders each hold one PostgreSQL, and where its programs are within: Debian,
/// the PostgreSQL project's packages for Red Hat, Homebrew on Apple silicon and on Intel.
const POSTGRES_HOMES: [(&str, &str); 4] =
    [("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")];

/// The places to look in. Tests make their own instead of changing the environment.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The nats-server to use, whatever else is installed.
    pub nats_server: Option<PathBuf>,
    /// Folders of programs, the first being the best.
    pub path: Vec<PathBuf>,
    /// From this folder upward a `.tools/bin` is looked for.
    pub tools_from: PathBuf,
}

impl Search {
    /// The usual places: `NATS_SERVER` (a path), `PATH`, and the current folder and those above it.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            nats_server: env::var_os("NATS_SERVER").filter(|value| !value.is_empty()).map(PathBuf::from),
            path: env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            tools_from: env::current_dir().unwrap_or_default(),
        }
    }

    /// Programs that may be nats-server, the first being the best.
    pub(crate) fn nats_servers(&self) -> Vec<PathBuf> {
        if let Some(named) = &self.nats_server {
            return vec![named.clone()];
        }
        let tools = self.tools_from.ancestors().map(|folder| folder.join(TOOLS));
        let folders = tools.chain(self.path.iter().cloned());
        folders.map(|folder| folder.join("nats-server")).filter(|program| program.is_file()).collect()
    }

    /// Folders that hold both `postgres` and `initdb`, the first being the best.
    pub(crate) fn postgres_folders(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in self.path.iter().cloned().chain(packaged_postgres()).chain(self.configured_postgres()) {
            // A link to one program is followed to its kin: distributions link some and not others.
            let Ok(program) = folder.join("postgres").canonicalize() else { continue };
            let Some(home) = program.parent() else { continue };
            if home.join("initdb").is_file() && !found.iter().any(|known| known == home) {
                found.push(home.to_owned());
            }
        }
        found
    }

    /// What `pg_config` says, for a PostgreSQL in a place that nobody else knows.
    fn configured_postgres(&self) -> Option<PathBuf> {
        let program = self.path.iter().map(|folder| folder.join("pg_config")).find(|program| program.is_file())?;
        let output = Command::new(program).arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    }
}

/// Where packages put PostgreSQL, the newest first.
fn packaged_postgres() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (base, programs) in POSTGRES_HOMES {
        let Ok(entries) = fs::read_dir(Path::new(base)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.trim_start_matches("postgresql").trim_start_matches(['@', '-']);
            let version = version.trim_start_matches("pgsql-");
            let Ok(version) = version.parse() else { continue };
            found.push((version, entry.path().join(programs)));
        }
    }
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}
