//! How many requests of one project are in progress.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::counter;
use rollcall_shared::project::ProjectId;

use crate::error::ApiError;

/// The name of this limit among the values of a label.
pub(super) const NAME: &str = "requests-at-once";

/// The requests in progress by project.
#[derive(Debug)]
pub(super) struct AtOnce {
    most: usize,
    by_project: Mutex<HashMap<ProjectId, usize>>,
}

/// The permit of one request. Dropping it frees the permit.
#[derive(Debug)]
pub(in crate::auth) struct Place {
    at_once: Arc<AtOnce>,
    project: ProjectId,
}

impl AtOnce {
    pub(super) fn new(most: usize) -> Self {
        Self { most, by_project: Mutex::default() }
    }

    /// A permit for a request of this project.
    ///
    /// # Errors
    /// [`ApiError::TooManyAtOnce`] if the project has as many as it may.
    pub(super) fn take(self: &Arc<Self>, project: ProjectId) -> Result<Place, ApiError> {
        let mut by_project = self.by_project();
        let of_project = by_project.entry(project).or_default();
        if *of_project >= self.most {
            drop(by_project);
            counter!("rollcall_limited_requests_total", "limit" => NAME).increment(1);
            return Err(ApiError::TooManyAtOnce { limit: self.most });
        }
        *of_project += 1;
        drop(by_project);
        Ok(Place { at_once: self.clone(), project })
    }

    fn by_project(&self) -> MutexGuard<'_, HashMap<ProjectId, usize>> {
        self.by_project.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_project = self.at_once.by_project();
        if let Some(of_project) = by_project.get_mut(&self.project) {
            *of_project -= 1;
            if *of_project == 0 {
                by_project.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_its_own_permits_and_gets_them_back() {
        let at_once = Arc::new(AtOnce::new(2));
        let _first = at_once.take(ProjectId(1)).unwrap();
        let second = at_once.take(ProjectId(1)).unwrap();
        assert!(matches!(at_once.take(ProjectId(1)), Err(ApiError::TooManyAtOnce { limit: 2 })));
        drop(at_once.take(ProjectId(2)).unwrap());
        drop(second);
        let _third = at_once.take(ProjectId(1)).unwrap();
        assert_eq!(*at_once.by_project(), HashMap::from([(ProjectId(1), 2)]));
    }
}
