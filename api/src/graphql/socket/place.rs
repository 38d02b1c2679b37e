//! Places: the number of WebSockets that may be open, for each key and in all.
//!
//! A client may send its key in its first message. Until then it is a stranger. If all places are taken, the next
//! client takes the place of the first stranger. So clients without a key cannot exclude others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::auth::KeyHash;
use crate::error::ApiError;

/// The places of one process.
#[derive(Debug)]
pub(in crate::graphql) struct Places {
    most: usize,
    most_of_key: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_key: HashMap<KeyHash, usize>,
    /// In the order in which they connected.
    strangers: VecDeque<Stranger>,
    last_number: u64,
}

#[derive(Debug, Clone)]
struct Stranger {
    number: u64,
    /// Cancelled when another client takes the place.
    lost: CancellationToken,
}

/// The place of one WebSocket, free again when it is dropped.
#[derive(Debug)]
pub(in crate::graphql) struct Place {
    places: Arc<Places>,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Stranger(Stranger),
    Key(KeyHash),
}

impl Places {
    /// The places of a process with this limit of connections. Each WebSocket occupies a connection, even while it
    /// is idle, and other requests must be served too.
    pub(in crate::graphql) fn new(max_connections: usize) -> Self {
        let most = (max_connections / 4).max(1);
        Self { most, most_of_key: (most / 2).max(1), taken: Mutex::default() }
    }

    /// A place for a client whose key is not known yet.
    ///
    /// # Errors
    /// [`ApiError::LiveFull`] if clients with known keys have all places.
    pub(in crate::graphql) fn take(self: &Arc<Self>) -> Result<Place, ApiError> {
        let mut taken = self.taken();
        if taken.all >= self.most {
            let first = taken.strangers.pop_front().ok_or(ApiError::LiveFull { limit: self.most })?;
            first.lost.cancel();
            taken.all -= 1;
        }
        taken.all += 1;
        taken.last_number += 1;
        let stranger = Stranger { number: taken.last_number, lost: CancellationToken::new() };
        taken.strangers.push_back(stranger.clone());
        Ok(Place { places: self.clone(), holder: Holder::Stranger(stranger) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Records the key that the place belongs to.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`] if the key already has its maximum, [`ApiError::LiveFull`] if the place was
    /// lost.
    pub(in crate::graphql) fn belongs_to(&mut self, key: KeyHash) -> Result<(), ApiError> {
        let Places { most, most_of_key, .. } = *self.places;
        let mut taken = self.places.taken();
        if matches!(self.holder, Holder::Key(holder) if holder == key) {
            return Ok(());
        }
        if taken.by_key.get(&key).is_some_and(|of_key| *of_key >= most_of_key) {
            return Err(ApiError::TooManyReaders { limit: most_of_key });
        }
        if !taken.release(&self.holder) {
            return Err(ApiError::LiveFull { limit: most });
        }
        taken.all += 1;
        *taken.by_key.entry(key).or_default() += 1;
        drop(taken);
        self.holder = Holder::Key(key);
        Ok(())
    }

    /// Completes when another client takes the place.
    pub(super) async fn lost(&self) {
        match &self.holder {
            Holder::Stranger(stranger) => stranger.lost.cancelled().await,
            Holder::Key(_) => std::future::pending().await,
        }
    }
}

impl Taken {
    /// Frees the place of a holder. Returns `false` if the place was already lost.
    fn release(&mut self, holder: &Holder) -> bool {
        match holder {
            Holder::Stranger(Stranger { number, .. }) => {
                let Some(index) = self.strangers.iter().position(|stranger| stranger.number == *number) else { return false };
                self.strangers.remove(index);
            }
            Holder::Key(key) => {
                if let Some(of_key) = self.by_key.get_mut(key) {
                    *of_key -= 1;
                    if *of_key == 0 {
                        self.by_key.remove(key);
                    }
                }
            }
        }
        self.all -= 1;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().release(&self.holder);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn of_key(places: &Arc<Places>, key: &str) -> Result<Place, ApiError> {
        let mut place = places.take()?;
        place.belongs_to(KeyHash::of(key))?;
        Ok(place)
    }

    /// How many places are taken, and another number.
    fn counts(places: &Places, other: impl Fn(&Taken) -> usize) -> (usize, usize) {
        let taken = places.taken();
        (taken.all, other(&taken))
    }

    #[test]
    fn a_key_has_half_of_the_places() {
        let places = Arc::new(Places::new(16));
        let first = of_key(&places, "one").unwrap();
        let _second = of_key(&places, "one").unwrap();
        assert!(matches!(of_key(&places, "one"), Err(ApiError::TooManyReaders { limit: 2 })));
        let _third = of_key(&places, "other").unwrap();
        let mut fourth = of_key(&places, "other").unwrap();
        assert!(matches!(of_key(&places, "third"), Err(ApiError::LiveFull { limit: 4 })));
        drop(first);
        fourth.belongs_to(KeyHash::of("one")).unwrap();
        assert_eq!(places.taken().all, 3);
        drop(fourth);
        assert_eq!(counts(&places, |taken| taken.by_key.len()), (2, 2));
    }

    #[test]
    fn the_first_stranger_loses_its_place_to_the_next_client() {
        let places = Arc::new(Places::new(12));
        let _known = of_key(&places, "one").unwrap();
        let mut strangers: Vec<_> = (0..5).map(|_| places.take().unwrap()).collect();
        let lost: Vec<_> = strangers.iter().map(|stranger| stranger.lost().now_or_never().is_some()).collect();
        assert_eq!(lost, [true, true, true, false, false]);
        assert!(matches!(strangers[0].belongs_to(KeyHash::of("two")), Err(ApiError::LiveFull { limit: 3 })));
        strangers[4].belongs_to(KeyHash::of("two")).unwrap();
        strangers.drain(..3).for_each(drop);
        assert_eq!(counts(&places, |taken| taken.strangers.len()), (3, 1));
        drop(strangers);
        assert_eq!(counts(&places, |taken| taken.strangers.len()), (1, 0));
    }
}
