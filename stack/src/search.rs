//! The places where the servers' programs may be. This module only lists candidates; it does not
//! run or check them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that `make prepare` installs into, below the checkout.
const TOOLS: &str = ".tools/bin";

/// Folders whose sub-folders each hold one version of PostgreSQL, and the path of the programs
/// within a sub-folder: Debian, the PostgreSQL project's packages for Red Hat, Homebrew on Apple
/// silicon and on Intel.
const POSTGRES_HOMES: [(&str, &str); 4] =
    [("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")];

/// The places to search. Tests create their own instead of changing the environment.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// If set, the only nats-server that may be used.
    pub nats_server: Option<PathBuf>,
    /// Folders of programs, in order of preference.
    pub path: Vec<PathBuf>,
    /// The search for `.tools/bin` begins in this folder and continues in those above it.
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

    /// Programs that may be SeaweedFS, in order of preference.
    pub(crate) fn s3_servers(&self) -> Vec<PathBuf> {
        self.programs("weed")
    }

    /// Programs that may be nats-server, in order of preference.
    pub(crate) fn nats_servers(&self) -> Vec<PathBuf> {
        if let Some(named) = &self.nats_server {
            return vec![named.clone()];
        }
        self.programs("nats-server")
    }

    /// Programs of this name, those that were installed for this checkout first.
    fn programs(&self, name: &str) -> Vec<PathBuf> {
        let tools = self.tools_from.ancestors().map(|folder| folder.join(TOOLS));
        let folders = tools.chain(self.path.iter().cloned());
        folders.map(|folder| folder.join(name)).filter(|program| program.is_file()).collect()
    }

    /// Folders that hold both `postgres` and `initdb`, in order of preference.
    pub(crate) fn postgres_folders(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in self.path.iter().cloned().chain(packaged_postgres()).chain(self.configured_postgres()) {
            // A distribution may link only some of the programs into PATH, so this follows the link
            // to the folder that has all of them.
            let Ok(program) = folder.join("postgres").canonicalize() else { continue };
            let Some(home) = program.parent() else { continue };
            if home.join("initdb").is_file() && !found.iter().any(|known| known == home) {
                found.push(home.to_owned());
            }
        }
        found
    }

    /// The folder that `pg_config` names, for a PostgreSQL in an unusual place.
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
