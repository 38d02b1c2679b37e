//! The server programs of one installed PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Search, StackError};

/// The oldest version that runs all statements of Rollcall. Debian 12 ships it.
const OLDEST_MAJOR: u32 = 15;

/// A folder with the programs `postgres` and `initdb` of a supported version.
#[derive(Debug)]
pub(crate) struct PostgresPrograms {
    folder: PathBuf,
}

impl PostgresPrograms {
    /// Finds the first supported PostgreSQL in the order of the search, or the major version
    /// `wanted`, because only the version that created a database can run it.
    ///
    /// # Errors
    /// [`StackError::PostgresMissing`] if none is new enough. Not finding `wanted` is `Ok(None)`.
    pub(crate) fn find(search: &Search, wanted: Option<u32>) -> Result<Option<Self>, StackError> {
        let mut is_any_new_enough = false;
        for folder in search.postgres_folders() {
            let Some(major) = major(&folder.join("postgres")) else { continue };
            is_any_new_enough |= major >= OLDEST_MAJOR;
            if wanted.map_or(major >= OLDEST_MAJOR, |wanted| major == wanted) {
                return Ok(Some(Self { folder }));
            }
        }
        if is_any_new_enough { Ok(None) } else { Err(StackError::PostgresMissing) }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// The value of `wal_compression`: lz4 if this PostgreSQL was built with it, and otherwise
    /// `on`, which takes five times as long.
    pub(crate) fn wal_compression(&self, data: &Path) -> &'static str {
        // This prints the value if the server accepts it. The option must come first, because
        // otherwise PostgreSQL refuses to run as root.
        let probe =
            Command::new(self.postgres()).args(["-C", "wal_compression", "-c", "wal_compression=lz4", "-D"]).arg(data).output();
        if probe.is_ok_and(|output| output.status.success()) { "lz4" } else { "on" }
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

/// Parses the major version of `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` or `postgres
/// (PostgreSQL) 18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres: not found"), None);
    }
}
