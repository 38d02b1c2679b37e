//! Permits for readers, which limit their number for each key and in total.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;

use crate::auth::KeyHash;
use crate::error::ApiError;

/// The permits of one process.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_of_key: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_key: HashMap<KeyHash, usize>,
}

/// The permit of one reader. Dropping it frees the permit.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    key: KeyHash,
}

impl Places {
    pub(super) fn new(most: usize, most_of_key: usize) -> Self {
        Self { most, most_of_key, taken: Mutex::default() }
    }

    /// Takes a permit for a reader with this key.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`] if the key has as many readers as it may, [`ApiError::LiveFull`] if all
    /// permits are taken.
    pub(super) fn take(self: &Arc<Self>, key: KeyHash) -> Result<Place, ApiError> {
        let mut taken = self.taken();
        let of_key = taken.by_key.get(&key).copied().unwrap_or(0);
        if of_key >= self.most_of_key {
            return Err(ApiError::TooManyReaders { limit: self.most_of_key });
        }
        if taken.all >= self.most {
            return Err(ApiError::LiveFull { limit: self.most });
        }
        taken.all += 1;
        taken.by_key.insert(key, of_key + 1);
        gauge!("rollcall_live_readers").increment(1.0);
        Ok(Place { places: self.clone(), key })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(of_key) = taken.by_key.get_mut(&self.key) {
            *of_key -= 1;
            if *of_key == 0 {
                taken.by_key.remove(&self.key);
            }
        }
        gauge!("rollcall_live_readers").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_can_be_taken_again_when_its_reader_is_gone() {
        let places = Arc::new(Places::new(3, 2));
        let (one, other) = (KeyHash::of("one"), KeyHash::of("other"));
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(matches!(places.take(one), Err(ApiError::TooManyReaders { limit: 2 })));
        let _third = places.take(other).unwrap();
        assert!(matches!(places.take(other), Err(ApiError::LiveFull { limit: 3 })));
        drop(first);
        places.take(one).unwrap();
        assert_eq!(places.taken().by_key.len(), 2);
    }
}
