//! Permits for readers, which limit their number for each key, for each project and in total.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use rollcall_shared::project::ProjectId;

use crate::auth::KeyHash;
use crate::error::ApiError;

/// The permits of one process.
#[derive(Debug)]
pub(super) struct Places {
    most: Most,
    taken: Mutex<Taken>,
}

/// The largest numbers of permits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) in_all: usize,
    pub(super) of_project: usize,
    pub(super) of_key: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_project: HashMap<ProjectId, usize>,
    by_key: HashMap<KeyHash, usize>,
}

/// The permit of one reader. Dropping it frees the permit.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    project: ProjectId,
    key: KeyHash,
}

impl Places {
    pub(super) fn new(most: Most) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Takes a permit for a reader of this project with this key.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`] if the key or the project has as many readers as it may, [`ApiError::LiveFull`]
    /// if all permits are taken.
    pub(super) fn take(self: &Arc<Self>, project: ProjectId, key: KeyHash) -> Result<Place, ApiError> {
        let Most { in_all, of_project, of_key } = self.most;
        let mut taken = self.taken();
        if taken.by_key.get(&key).is_some_and(|taken| *taken >= of_key) {
            return Err(ApiError::TooManyReaders { limit: of_key, whose: "key" });
        }
        if taken.by_project.get(&project).is_some_and(|taken| *taken >= of_project) {
            return Err(ApiError::TooManyReaders { limit: of_project, whose: "project" });
        }
        if taken.all >= in_all {
            return Err(ApiError::LiveFull { limit: in_all });
        }
        taken.all += 1;
        *taken.by_project.entry(project).or_default() += 1;
        *taken.by_key.entry(key).or_default() += 1;
        gauge!("rollcall_live_readers").increment(1.0);
        Ok(Place { places: self.clone(), project, key })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        release(&mut taken.by_project, &self.project);
        release(&mut taken.by_key, &self.key);
        gauge!("rollcall_live_readers").decrement(1.0);
    }
}

/// Takes one from a count, and forgets the count at zero.
fn release<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_can_be_taken_again_when_its_reader_is_gone() {
        let places = Arc::new(Places::new(Most { in_all: 4, of_project: 3, of_key: 2 }));
        let [one, other, third] = ["one", "other", "third"].map(KeyHash::of);
        let first = places.take(ProjectId(1), one).unwrap();
        let _second = places.take(ProjectId(1), one).unwrap();
        assert!(matches!(places.take(ProjectId(1), one), Err(ApiError::TooManyReaders { limit: 2, whose: "key" })));
        let _third = places.take(ProjectId(1), other).unwrap();
        assert!(matches!(places.take(ProjectId(1), other), Err(ApiError::TooManyReaders { limit: 3, whose: "project" })));
        let _fourth = places.take(ProjectId(2), third).unwrap();
        assert!(matches!(places.take(ProjectId(2), third), Err(ApiError::LiveFull { limit: 4 })));
        drop(first);
        drop(places.take(ProjectId(1), one).unwrap());
        drop(places.take(ProjectId(2), third).unwrap());
        let taken = places.taken();
        assert_eq!((taken.all, taken.by_project.len(), taken.by_key.len()), (3, 2, 3));
    }
}
