//! Verification: whether the archive has what its manifests and the registry say.

use sqlx::PgPool;

use crate::manifest::{self, Manifest, Part};
use crate::part::PartReader;
use crate::registry::RegisteredDay;
use crate::{ArchiveError, Failure, Progress, Selection, Store, registered};

/// What was verified.
#[derive(Debug, Default)]
pub struct Verified {
    /// Days with which nothing is wrong.
    pub days: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes, all of which were read.
    pub bytes: u64,
    /// Days with which something is wrong.
    pub failures: Vec<Failure>,
}

/// Reads every file of the archived days of the selection, and compares it with its manifest, and that with the registry.
///
/// # Errors
/// PostgreSQL or the store does not answer. What is wrong with days is among the results.
pub async fn verify(
    pool: &PgPool,
    store: &Store,
    selection: &Selection,
    progress: &dyn Progress,
) -> Result<Verified, ArchiveError> {
    let days = registered(pool, selection).await?;
    progress.expect(days.iter().map(|day| day.rows).sum());
    let mut verified = Verified::default();
    for registered in days {
        match day(store, &registered).await {
            Ok(manifest) => {
                verified.days += 1;
                verified.rows += manifest.rows;
                verified.bytes += manifest.bytes;
            }
            Err(error) if error.is_about_one_day() => verified.failures.push(Failure { day: registered.day, error }),
            Err(error) => return Err(error),
        }
        progress.advance(registered.rows);
    }
    Ok(verified)
}

/// Verifies one day, and returns its manifest.
pub(crate) async fn day(store: &Store, registered: &RegisteredDay) -> Result<Manifest, ArchiveError> {
    let manifest = manifest_of(store, registered).await?;
    for part in &manifest.parts {
        self::part(store, &manifest, part).await?;
    }
    Ok(manifest)
}

/// The manifest of a day, which must be at least as new as the registry says.
pub(crate) async fn manifest_of(store: &Store, registered: &RegisteredDay) -> Result<Manifest, ArchiveError> {
    let path = || format!("{}/{}", registered.day.folder(), manifest::FILE);
    let found = store.manifest(&registered.day.project, registered.day.date).await?;
    let manifest = found.ok_or_else(|| ArchiveError::Missing { path: path() })?;
    if manifest.generation < registered.generation {
        let problem = format!("it is generation {}, and {} was archived", manifest.generation, registered.generation);
        return Err(ArchiveError::Damaged { path: path(), problem });
    }
    Ok(manifest)
}

/// Reads a part back: its checksum, and that it is a Parquet file with the right number of rows.
pub(crate) async fn part(store: &Store, manifest: &Manifest, part: &Part) -> Result<(), ArchiveError> {
    let damaged = |problem: String| ArchiveError::Damaged { path: manifest.path_of(part), problem };
    let file = store.fetch(manifest, part).await?;
    let reader = PartReader::open(file).map_err(|error| damaged(error.to_string()))?;
    if reader.rows() == part.rows {
        Ok(())
    } else {
        Err(damaged(format!("it has {} rows, and should have {}", reader.rows(), part.rows)))
    }
}
