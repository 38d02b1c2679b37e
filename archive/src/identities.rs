//! The identities that a day has in the archive already: 16 bytes for each event.

use parquet::errors::ParquetError;
use rollcall_shared::event::identity;
use uuid::Uuid;

use crate::manifest::Manifest;
use crate::part::PartReader;
use crate::{ArchiveError, Store};

/// A set of identities. An id that was sent without a time is another than the same id with one.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    dated: Vec<u128>,
    undated: Vec<u128>,
}

impl Identities {
    /// Those of all parts, whose checksums are checked on the way.
    pub(crate) async fn of(store: &Store, manifest: &Manifest) -> Result<Self, ArchiveError> {
        let mut all = Self::default();
        for part in &manifest.parts {
            let file = store.fetch(manifest, part).await?;
            let read = tokio::task::spawn_blocking(move || {
                let added = all.add(file);
                (all, added)
            });
            let (with_part, added) = read.await.map_err(std::io::Error::other)?;
            all = with_part;
            added.map_err(|error| ArchiveError::Damaged { path: manifest.path_of(part), problem: error.to_string() })?;
        }
        all.dated.sort_unstable();
        all.undated.sort_unstable();
        Ok(all)
    }

    /// Whether the event is one of them.
    pub(crate) fn contains(&self, identity: Uuid, undated: bool) -> bool {
        let set = if undated { &self.undated } else { &self.dated };
        set.binary_search(&identity.as_u128()).is_ok()
    }

    fn add(&mut self, file: std::fs::File) -> Result<(), ParquetError> {
        let mut part = PartReader::open(file)?;
        while let Some(ids) = part.next_ids()? {
            for (id, undated) in ids {
                let set = if undated { &mut self.undated } else { &mut self.dated };
                set.push(identity(id.as_utf8()?).as_u128());
            }
        }
        Ok(())
    }
}
