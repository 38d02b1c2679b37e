//! Turns: computations that may need much memory run one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Maximum number of computations of one project that run or wait, so that one project cannot fill the queue.
const MAX_OF_PROJECT: usize = 2;
/// Timeout for waiting for a turn.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives turns in the order of the requests. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    turn: Arc<Semaphore>,
    /// One semaphore for each project that has requested a turn.
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Semaphore>>>>,
}

/// The permit to compute. Dropping it gives the turn to the next request.
#[derive(Debug)]
pub(super) struct Turn {
    _permits: [OwnedSemaphorePermit; 2],
}

impl Default for Turns {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), projects: Arc::default() }
    }
}

impl Turns {
    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ApiError::TooManyQueries`] if too many computations of the project run or wait,
    /// [`ApiError::DatabaseBusy`] after the timeout.
    pub(super) async fn take(&self, project: ProjectId) -> Result<Turn, ApiError> {
        let of_project = self.of(project).try_acquire_owned();
        let of_project = of_project.map_err(|_| ApiError::TooManyQueries { limit: MAX_OF_PROJECT })?;
        match tokio::time::timeout(WAIT_TIMEOUT, self.turn.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Turn { _permits: [of_project, turn] }),
            // The semaphore is never closed, so this is always the timeout.
            _ => Err(ApiError::DatabaseBusy(sqlx::Error::PoolTimedOut)),
        }
    }

    fn of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.entry(project).or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_PROJECT))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_computation_runs_at_a_time_and_a_project_has_two_at_the_most() {
        let turns = Turns::default();
        let first = turns.take(ProjectId(1)).await.unwrap();
        let second = turns.take(ProjectId(1));
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        assert!(matches!(turns.take(ProjectId(1)).await, Err(ApiError::TooManyQueries { limit: 2 })));
        let other = turns.take(ProjectId(2));
        tokio::pin!(other);
        assert!(futures::poll!(&mut other).is_pending());
        drop(first);
        drop(second.await.unwrap());
        other.await.unwrap();
    }
}
