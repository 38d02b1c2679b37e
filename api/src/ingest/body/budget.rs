//! The memory budget: how many bytes of events all requests together may hold.
//!
//! Part of the budget is reserved for small bodies, so they never wait behind large ones. A large body must be
//! admitted before any more of it is read. It is then given room for the most memory that it can need, so it
//! never waits for room again. It must arrive in time, though: while others wait for room, an admitted body has
//! no longer than they have. Each project has only a few large bodies in the queue at a time, and at most half
//! of the part for small bodies, so that no project waits for all requests of another. A request that gets 503
//! was not accepted, and its client has to send it again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::ApiError;

/// Maximum size of a small body.
pub(crate) const SMALL_BYTES: usize = 256 * 1024;
/// How long a small body waits for room. Other small bodies are processed within milliseconds.
const SMALL_TIMEOUT: Duration = Duration::from_secs(2);
/// One `SMALL_PART`th of the budget is reserved for small bodies.
const SMALL_PART: usize = 4;
/// Large bodies of one project that are admitted or wait for room. Its other large bodies wait for these.
const LARGE_PER_PROJECT: usize = 2;
/// Bodies of one project that turned out to be large while they were read and now wait to be admitted.
/// Meanwhile they occupy room for small bodies.
const TURNED_LARGE_PER_PROJECT: usize = 16;

/// The state that all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Free KiB for small bodies.
    small: Arc<Semaphore>,
    small_kib: usize,
    /// Free KiB for large ones.
    large: Arc<Semaphore>,
    large_kib: usize,
    large_timeout: Duration,
    /// Large bodies that wait to be admitted.
    waiting: AtomicUsize,
    projects: Mutex<HashMap<ProjectId, Arc<ProjectShare>>>,
}

/// The state that the requests of one project share.
#[derive(Debug)]
struct ProjectShare {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    turned_large: Arc<Semaphore>,
}

/// The memory that one request holds.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    project: Arc<ProjectShare>,
    small: Option<[OwnedSemaphorePermit; 2]>,
    large: Option<Hold>,
    /// Its permit among the large bodies of its project.
    place: Option<OwnedSemaphorePermit>,
}

/// The memory of a large body. It is free once all clones are dropped.
pub(crate) type Hold = Arc<OwnedSemaphorePermit>;

impl Budget {
    /// A budget of this many bytes, or of one request of the largest size if that is more. A large body waits
    /// for at most `large_timeout`.
    pub(crate) fn new(bytes: usize, max_body_bytes: usize, large_timeout: Duration) -> Self {
        let small_kib = kib(bytes / SMALL_PART).max(2 * kib(SMALL_BYTES));
        let large_kib = kib(bytes).saturating_sub(small_kib).max(kib(held_at_most(max_body_bytes)));
        Self(Arc::new(Shared {
            small: Arc::new(Semaphore::new(small_kib)),
            small_kib,
            large: Arc::new(Semaphore::new(large_kib)),
            large_kib,
            large_timeout,
            waiting: AtomicUsize::new(0),
            projects: Mutex::default(),
        }))
    }

    /// A share that holds no bytes yet.
    pub(crate) fn open_share(&self, project: ProjectId) -> Share {
        let mut projects = self.0.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let project = projects.entry(project).or_insert_with(|| {
            Arc::new(ProjectShare {
                small: Arc::new(Semaphore::new(self.0.small_kib / 2)),
                large: Arc::new(Semaphore::new(LARGE_PER_PROJECT)),
                turned_large: Arc::new(Semaphore::new(TURNED_LARGE_PER_PROJECT)),
            })
        });
        Share { budget: self.clone(), project: project.clone(), small: None, large: None, place: None }
    }
}

impl Share {
    /// Whether this is a large body that has all the room that it can need.
    pub(crate) fn is_admitted(&self) -> bool {
        self.large.is_some()
    }

    /// The memory of a large body, for another one that holds its bytes.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.large.clone()
    }

    /// Whether the body was admitted longer ago than others may wait for room, and others do wait.
    pub(crate) fn is_overdue(&self, admitted: Instant) -> bool {
        let shared = &self.budget.0;
        self.is_admitted() && admitted.elapsed() > shared.large_timeout && shared.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for room for a body of up to `bytes` and the messages that are made of it.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if others take too long.
    pub(crate) async fn admit(&mut self, bytes: usize) -> Result<(), ApiError> {
        let _turned_large = match &self.small {
            Some(_) => Some(self.project.turned_large.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)?),
            None => None,
        };
        let shared = &self.budget.0;
        let _waiter = Waiter::new(shared);
        let kib = u32::try_from(kib(held_at_most(bytes)).min(shared.large_kib)).unwrap_or(u32::MAX);
        let admission = async {
            let place = self.project.large.clone().acquire_owned().await?;
            shared.large.clone().acquire_many_owned(kib).await.map(|large| (place, large))
        };
        let admitted = tokio::time::timeout(shared.large_timeout, admission).await.map_err(|_| ApiError::Overloaded)?;
        let (place, large) = admitted.map_err(ApiError::internal)?;
        (self.place, self.large, self.small) = (Some(place), Some(Arc::new(large)), None);
        Ok(())
    }

    /// Makes the share of a small body large enough for `bytes` in all.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if no room becomes free in time.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), ApiError> {
        let held = self.small.as_ref().map_or(0, |[own, _]| own.num_permits());
        let missing = kib(bytes).saturating_sub(held);
        if self.is_admitted() || missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let room = async {
            let own = self.project.small.clone().acquire_many_owned(missing).await?;
            self.budget.0.small.clone().acquire_many_owned(missing).await.map(|all| [own, all])
        };
        let room = tokio::time::timeout(SMALL_TIMEOUT, room).await.map_err(|_| ApiError::Overloaded)?;
        let [own, all] = room.map_err(ApiError::internal)?;
        match &mut self.small {
            Some([held_own, held_all]) => {
                held_own.merge(own);
                held_all.merge(all);
            }
            small @ None => *small = Some([own, all]),
        }
        Ok(())
    }

    /// Gives back what is not needed for `bytes`, and lets the next large body of the project queue.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let keep = kib(bytes);
        let spare = |held: &mut OwnedSemaphorePermit| drop(held.split(held.num_permits().saturating_sub(keep)));
        let large = self.large.as_mut().and_then(Arc::get_mut);
        self.small.iter_mut().flatten().chain(large).for_each(spare);
        self.place = None;
    }
}

/// Counts a large body while it waits.
struct Waiter<'s>(&'s Shared);

impl<'s> Waiter<'s> {
    fn new(shared: &'s Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The most memory that a request with a body of this size takes: the body, and the compressed messages that
/// are made of it.
fn held_at_most(body_bytes: usize) -> usize {
    body_bytes.saturating_add(body_bytes / 4)
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn budget() -> Budget {
        Budget::new(8 * MIB, 4 * MIB, Duration::from_secs(30))
    }

    #[tokio::test(start_paused = true)]
    async fn small_bodies_do_not_wait_behind_large_ones() {
        let budget = budget();
        let mut large = [1, 1, 1].map(|project| budget.open_share(ProjectId(project)));
        large[0].admit(4 * MIB).await.unwrap();
        assert!(matches!(large[1].admit(4 * MIB).await, Err(ApiError::Overloaded)));
        let mut small = budget.open_share(ProjectId(1));
        small.grow_to(SMALL_BYTES).await.unwrap();
        large[0].shrink_to(100 * 1024);
        large[1].admit(4 * MIB).await.unwrap();
        assert!(matches!(large[2].admit(4 * MIB).await, Err(ApiError::Overloaded)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_project_does_not_take_the_room_of_all() {
        let budget = budget();
        let mut of_one: Vec<_> = (0..5).map(|_| budget.open_share(ProjectId(1))).collect();
        for share in &mut of_one[..4] {
            share.grow_to(SMALL_BYTES).await.unwrap();
        }
        assert!(matches!(of_one[4].grow_to(SMALL_BYTES).await, Err(ApiError::Overloaded)));
        budget.open_share(ProjectId(2)).grow_to(SMALL_BYTES).await.unwrap();
        drop(of_one);
        assert_eq!(budget.0.small.available_permits(), 2048);
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_that_waits_with_few_is_served_before_all_of_another() {
        let budget = budget();
        let mut first = budget.open_share(ProjectId(1));
        first.admit(4 * MIB).await.unwrap();
        let mut served = tokio::task::JoinSet::new();
        for project in [1, 1, 1, 1, 2] {
            let mut share = budget.open_share(ProjectId(project));
            served.spawn(async move {
                share.admit(4 * MIB).await.unwrap();
                project
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        let mut order = Vec::new();
        while let Some(project) = served.join_next().await {
            order.push(project.unwrap());
        }
        assert!(order.iter().position(|project| *project == 2).unwrap() <= LARGE_PER_PROJECT, "{order:?}");
    }

    #[test]
    fn the_largest_request_always_fits() {
        let budget = Budget::new(1, 64 * MIB, Duration::ZERO);
        assert_eq!(budget.0.large.available_permits(), 80 * 1024);
    }
}
