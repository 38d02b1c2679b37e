//! The latest version of something that was read about each project.
//!
//! It is read again only when a newer version is asked for, once for all requests that wait for it. While it cannot be
//! read, the version before it is used, and the database is not asked for every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use rollcall_shared::project::ProjectId;

use crate::error::ApiError;

/// After a failure, the next attempt waits for this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// What was not asked for in this time is forgotten.
const KEPT: Duration = Duration::from_secs(3_600);
/// What every entry takes in memory, in addition to its content.
const ENTRY_BYTES: usize = 256;

/// Something that exists in versions.
pub(super) trait Versioned {
    /// Greater for a later version.
    fn version(&self) -> i64;

    /// How much memory it takes, about.
    fn bytes(&self) -> usize;
}

/// The latest versions, by project.
pub(super) struct Latest<T>(Cache<ProjectId, Entry<T>>);

struct Entry<T> {
    read: Option<Arc<T>>,
    /// When a later version could not be read.
    failed: Option<Instant>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { read: self.read.clone(), failed: self.failed }
    }
}

impl<T: Versioned> Entry<T> {
    /// Whether it is the answer to who asks for a version.
    fn serves(&self, version: i64) -> bool {
        self.read.as_ref().is_some_and(|read| read.version() >= version)
            || self.failed.is_some_and(|failed| failed.elapsed() < RETRY_AFTER)
    }
}

impl<T: Versioned + Send + Sync + 'static> Latest<T> {
    /// Keeps at most this much in memory, about.
    pub(super) fn new(max_bytes: u64) -> Self {
        let weigh = |_: &ProjectId, entry: &Entry<T>| {
            let bytes = ENTRY_BYTES + entry.read.as_ref().map_or(0, |read| read.bytes());
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        // By default, moka would not keep what is new while everything else is in use, and it would be read each time.
        let policy = EvictionPolicy::lru();
        Self(Cache::builder().max_capacity(max_bytes).weigher(weigh).time_to_idle(KEPT).eviction_policy(policy).build())
    }

    /// A version of what a project has, or a later one. `read` gets the version that was known, and reads the latest.
    /// While that fails, the answer is the version before, or `None`.
    pub(super) async fn get<F>(&self, project: ProjectId, version: i64, read: impl FnOnce(Option<Arc<T>>) -> F) -> Option<Arc<T>>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        if let Some(entry) = self.0.get(&project).await.filter(|entry| entry.serves(version)) {
            return entry.read;
        }
        let computed = self.0.entry(project).and_compute_with(|entry| async move {
            let entry = entry.map(moka::Entry::into_value);
            if entry.as_ref().is_some_and(|entry| entry.serves(version)) {
                return Op::Nop;
            }
            let known = entry.and_then(|entry| entry.read);
            Op::Put(match read(known.clone()).await {
                Ok(read) => Entry { read: Some(Arc::new(read)), failed: None },
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, %project, "the rules for events were not read");
                    Entry { read: known, failed: Some(Instant::now()) }
                }
            })
        });
        computed.await.into_entry()?.into_value().read
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    impl Versioned for i64 {
        fn version(&self) -> i64 {
            *self
        }

        fn bytes(&self) -> usize {
            8
        }
    }

    const PROJECT: ProjectId = ProjectId(7);

    #[tokio::test]
    async fn a_version_is_read_once_and_replaced_only_by_a_later_one() {
        let (latest, reads) = (Latest::<i64>::new(1 << 20), AtomicUsize::new(0));
        let get = async |version| {
            let read = |_| async {
                reads.fetch_add(1, Ordering::Relaxed);
                Ok(version)
            };
            latest.get(PROJECT, version, read).await.map(|read| *read)
        };
        let both = futures::future::join(get(3), get(3)).await;
        assert_eq!(both, (Some(3), Some(3)));
        assert_eq!([get(2).await, get(3).await, get(4).await, get(3).await], [Some(3), Some(3), Some(4), Some(4)]);
        assert_eq!(reads.into_inner(), 2);
    }

    #[tokio::test]
    async fn the_version_before_is_used_while_the_next_one_cannot_be_read() {
        let latest = Latest::<i64>::new(1 << 20);
        let fail = |_| async { Err(ApiError::Overloaded) };
        assert_eq!(latest.get(PROJECT, 1, fail).await, None);
        // It is not read again at once.
        assert_eq!(latest.get(PROJECT, 1, |_| async { Ok(1) }).await, None);
        let other = ProjectId(8);
        assert_eq!(latest.get(other, 1, |_| async { Ok(1) }).await.as_deref(), Some(&1));
        assert_eq!(latest.get(other, 2, fail).await.as_deref(), Some(&1));
    }
}
