//! The progress of an import, kept in a small file next to the imported one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// The batches of a file that the service has confirmed, counted from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) batches: u64,
    batch_size: u64,
    file_bytes: u64,
    #[serde(skip)]
    path: PathBuf,
}

impl Checkpoint {
    /// The checkpoint of an interrupted import, or a new one.
    ///
    /// # Errors
    /// The file or the batch size is not what it was, so the batches would not be the same.
    pub(super) fn open(file: &Path, file_bytes: u64, batch_size: u64, restart: bool) -> anyhow::Result<Self> {
        let path = PathBuf::from(format!("{}.rollcall-progress", file.display()));
        let fresh = Self { batches: 0, batch_size, file_bytes, path: path.clone() };
        if restart || !path.exists() {
            return Ok(fresh);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let found: Self = serde_json::from_str(&text).with_context(|| format!("{} is damaged; use --restart", path.display()))?;
        ensure!(found.file_bytes == file_bytes, "the file has changed since the import was interrupted; use --restart");
        ensure!(found.batch_size == batch_size, "the import was begun with --batch {}; use that or --restart", found.batch_size);
        Ok(Self { path, ..found })
    }

    /// Counts one more confirmed batch. A crash in the middle leaves the old file in place.
    pub(super) fn advance(&mut self) -> anyhow::Result<()> {
        self.batches += 1;
        let draft = self.path.with_extension("rollcall-progress-draft");
        fs::write(&draft, serde_json::to_string(self)?)
            .and_then(|()| fs::rename(&draft, &self.path))
            .with_context(|| format!("the progress cannot be kept in {}", self.path.display()))
    }

    /// What the user can do after the import was interrupted.
    pub(super) fn how_to_resume(&self) -> String {
        match self.batches {
            0 => "no batch is confirmed yet: the same command begins again, and nothing is stored twice".to_owned(),
            batches => format!(
                "{batches} batches of {} records are confirmed: the same command resumes behind them, --restart begins anew",
                self.batch_size
            ),
        }
    }

    /// The import is complete.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_import_is_resumed_only_if_its_batches_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.csv");
        let mut checkpoint = Checkpoint::open(&file, 100, 10, false).unwrap();
        checkpoint.advance().unwrap();
        checkpoint.advance().unwrap();
        assert_eq!(Checkpoint::open(&file, 100, 10, false).unwrap().batches, 2);
        assert_eq!(Checkpoint::open(&file, 100, 10, true).unwrap().batches, 0);
        assert!(Checkpoint::open(&file, 101, 10, false).is_err());
        assert!(Checkpoint::open(&file, 100, 20, false).is_err());
        checkpoint.remove().unwrap();
        assert_eq!(Checkpoint::open(&file, 101, 10, false).unwrap().batches, 0);
    }
}
