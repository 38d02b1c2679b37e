//! Turns: computations that may need much memory run one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::ApiError;

/// Maximum number of computations of one project that run or are next. Further ones wait behind these, so that one
/// project cannot fill the queue.
const MAX_OF_PROJECT: usize = 2;
/// Timeout for waiting for a turn.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives turns in the order of the requests. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    turn: Arc<Semaphore>,
    /// One semaphore for each project that has requested a turn.
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Semaphore>>>>,
    /// How long a turn lasts.
    lasts: Duration,
}

/// The permit to compute. Dropping the last clone gives the turn to the next request. Whatever holds the memory
/// of the computation holds a clone.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    _permits: Arc<[OwnedSemaphorePermit; 2]>,
    ends: Instant,
}

impl Turns {
    /// Each turn lasts this long.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), projects: Arc::default(), lasts }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// After the timeout: [`ApiError::TooManyQueries`] if other computations of the project come first,
    /// [`ApiError::DatabaseBusy`] if those of other projects do.
    pub(super) async fn take(&self, project: ProjectId) -> Result<Turn, ApiError> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        // The semaphores are never closed, so an error is always the timeout.
        let Ok(Ok(of_project)) = timeout_at(deadline, self.of(project).acquire_owned()).await else {
            return Err(ApiError::TooManyQueries { limit: MAX_OF_PROJECT });
        };
        let Ok(Ok(turn)) = timeout_at(deadline, self.turn.clone().acquire_owned()).await else {
            return Err(ApiError::DatabaseBusy(sqlx::Error::PoolTimedOut));
        };
        Ok(Turn { _permits: Arc::new([of_project, turn]), ends: Instant::now() + self.lasts })
    }

    fn of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.entry(project).or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_PROJECT))).clone()
    }
}

impl Turn {
    /// Whether another statement may begin.
    ///
    /// # Errors
    /// [`ApiError::TooSlow`] if the turn is over.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if Instant::now() < self.ends {
            return Ok(());
        }
        Err(ApiError::TooSlow(sqlx::Error::Protocol("the turn of a computation of several statements is over".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    fn turns() -> Turns {
        Turns::new(Duration::from_secs(10))
    }

    #[tokio::test]
    async fn one_computation_runs_at_a_time_and_a_project_has_one_more_before_others() {
        let turns = turns();
        let first = turns.take(ProjectId(1)).await.unwrap();
        let second = turns.take(ProjectId(1));
        let third = turns.take(ProjectId(1));
        let other = turns.take(ProjectId(2));
        tokio::pin!(second, third, other);
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending() && poll!(&mut other).is_pending());
        drop(first);
        drop(second.await.unwrap());
        // The third asked before the other, but its project had two already.
        assert!(poll!(&mut third).is_pending());
        drop(other.await.unwrap());
        third.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_whose_computations_are_before() {
        let turns = turns();
        let first = turns.take(ProjectId(1)).await.unwrap();
        let (second, third, other) = tokio::join!(turns.take(ProjectId(1)), turns.take(ProjectId(1)), turns.take(ProjectId(2)));
        assert!(matches!(second, Err(ApiError::DatabaseBusy(_))));
        assert!(matches!(third, Err(ApiError::TooManyQueries { limit: 2 })));
        assert!(matches!(other, Err(ApiError::DatabaseBusy(_))));
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn no_statement_begins_after_the_end_of_a_turn() {
        let turn = turns().take(ProjectId(1)).await.unwrap();
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(turn.check().is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(matches!(turn.check(), Err(ApiError::TooSlow(_))));
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_one_of_its_clones() {
        let turns = turns();
        let turn = turns.take(ProjectId(1)).await.unwrap();
        let clone = turn.clone();
        drop(turn);
        let next = turns.take(ProjectId(2));
        tokio::pin!(next);
        assert!(poll!(&mut next).is_pending());
        drop(clone);
        next.await.unwrap();
    }
}
