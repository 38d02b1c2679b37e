//! What a run found to be wrong.

use std::fmt;
use std::sync::Mutex;

use super::check::Check;

/// How many failures of one check are written down; more say nothing new.
const MAX_OF_ONE_CHECK: usize = 10;
/// Characters that are kept of each.
const MAX_DETAIL: usize = 800;

/// One thing that should be true of the service and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that found it.
    pub check: Check,
    /// What it found, for people.
    pub detail: String,
}

impl Failure {
    pub(crate) fn new(check: Check, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        Self { check, detail }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.check, self.detail)
    }
}

/// Everything found so far, from all tasks of a run.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Vec<Failure>>);

impl Failures {
    /// Writes a failure down.
    pub(crate) fn add(&self, failure: Failure) {
        let mut failures = self.0.lock().expect("no panic");
        if failures.iter().filter(|known| known.check == failure.check).count() < MAX_OF_ONE_CHECK {
            failures.push(failure);
        }
    }

    /// Writes several down.
    pub(crate) fn extend(&self, failures: impl IntoIterator<Item = Failure>) {
        failures.into_iter().for_each(|failure| self.add(failure));
    }

    /// All of them, in the order in which they were found.
    pub(crate) fn take(&self) -> Vec<Failure> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}
