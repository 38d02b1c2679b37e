//! A project: the tenant to which events, keys and statistics belong.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::Environment;

/// The number of a project in the table `projects`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub i32);

impl ProjectId {
    /// The project named `default`, which the first migration creates.
    pub const DEFAULT: Self = Self(1);
}

/// How many event types a project may have that has no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTypeLimit(pub i32);

impl EventTypeLimit {
    /// Reads the setting. Workers keep to the limit, and the API refuses what they would.
    pub fn from_env(environment: &mut Environment) -> Self {
        Self(environment.read_in(
            "EVENT_TYPES_PER_PROJECT",
            10_000,
            1..=1_000_000,
            "event types of a project; events of others are refused, or become dead letters",
        ) as i32)
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
