//! Places: the number of WebSockets that may be open, for each project and in all.
//!
//! A client may send its key in its first message. Until then it is a stranger. If all places are taken, the next
//! client takes the place of the first stranger. So clients without a key cannot exclude others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_shared::project::ProjectId;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

/// The places of one process.
#[derive(Debug)]
pub(in crate::graphql) struct Places {
    most: usize,
    most_of_project: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_project: HashMap<ProjectId, usize>,
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
    Project(ProjectId),
}

impl Places {
    /// The places of a process with this limit of connections. Each WebSocket occupies a connection, even while it
    /// is idle, and other requests must be served too.
    pub(in crate::graphql) fn new(max_connections: usize) -> Self {
        let most = (max_connections / 4).max(1);
        Self { most, most_of_project: (most / 2).max(1), taken: Mutex::default() }
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
    /// Records the project that the place belongs to.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`] if the project already has its maximum, [`ApiError::LiveFull`] if the place was
    /// lost.
    pub(in crate::graphql) fn belongs_to(&mut self, project: ProjectId) -> Result<(), ApiError> {
        let Places { most, most_of_project, .. } = *self.places;
        let mut taken = self.places.taken();
        if matches!(self.holder, Holder::Project(holder) if holder == project) {
            return Ok(());
        }
        if taken.by_project.get(&project).is_some_and(|taken| *taken >= most_of_project) {
            return Err(ApiError::TooManyReaders { limit: most_of_project, whose: "project" });
        }
        if !taken.release(&self.holder) {
            return Err(ApiError::LiveFull { limit: most });
        }
        taken.all += 1;
        *taken.by_project.entry(project).or_default() += 1;
        drop(taken);
        self.holder = Holder::Project(project);
        Ok(())
    }

    /// Completes when another client takes the place.
    pub(super) async fn lost(&self) {
        match &self.holder {
            Holder::Stranger(stranger) => stranger.lost.cancelled().await,
            Holder::Project(_) => std::future::pending().await,
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
            Holder::Project(project) => {
                if let Some(of_project) = self.by_project.get_mut(project) {
                    *of_project -= 1;
                    if *of_project == 0 {
                        self.by_project.remove(project);
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

    fn of_project(places: &Arc<Places>, project: i32) -> Result<Place, ApiError> {
        let mut place = places.take()?;
        place.belongs_to(ProjectId(project))?;
        Ok(place)
    }

    /// How many places are taken, and another number.
    fn counts(places: &Places, other: impl Fn(&Taken) -> usize) -> (usize, usize) {
        let taken = places.taken();
        (taken.all, other(&taken))
    }

    #[test]
    fn a_project_has_half_of_the_places() {
        let places = Arc::new(Places::new(16));
        let first = of_project(&places, 1).unwrap();
        let _second = of_project(&places, 1).unwrap();
        assert!(matches!(of_project(&places, 1), Err(ApiError::TooManyReaders { limit: 2, .. })));
        let _third = of_project(&places, 2).unwrap();
        let mut fourth = of_project(&places, 2).unwrap();
        assert!(matches!(of_project(&places, 3), Err(ApiError::LiveFull { limit: 4 })));
        drop(first);
        fourth.belongs_to(ProjectId(1)).unwrap();
        assert_eq!(places.taken().all, 3);
        drop(fourth);
        assert_eq!(counts(&places, |taken| taken.by_project.len()), (2, 2));
    }

    #[test]
    fn the_first_stranger_loses_its_place_to_the_next_client() {
        let places = Arc::new(Places::new(12));
        let _known = of_project(&places, 1).unwrap();
        let mut strangers: Vec<_> = (0..5).map(|_| places.take().unwrap()).collect();
        let lost: Vec<_> = strangers.iter().map(|stranger| stranger.lost().now_or_never().is_some()).collect();
        assert_eq!(lost, [true, true, true, false, false]);
        assert!(matches!(strangers[0].belongs_to(ProjectId(2)), Err(ApiError::LiveFull { limit: 3 })));
        strangers[4].belongs_to(ProjectId(2)).unwrap();
        strangers.drain(..3).for_each(drop);
        assert_eq!(counts(&places, |taken| taken.strangers.len()), (3, 1));
        drop(strangers);
        assert_eq!(counts(&places, |taken| taken.strangers.len()), (1, 0));
    }
}
