//! A project: the tenant to which events, keys and statistics belong.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a project in the table `projects`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub i32);

impl ProjectId {
    /// The project named `default`, which the first migration creates.
    pub const DEFAULT: Self = Self(1);
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
