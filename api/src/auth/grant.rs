//! What a key grants: scopes on one project.

use std::sync::Arc;

use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Send events.
    Ingest,
    /// Ask questions.
    Read,
    /// Administer; implies both others.
    Admin,
}

impl Scope {
    /// The name in the table `api_keys` and in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// The scope of a name in the table.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Ingest, Self::Read, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

/// The project that a request works in.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    /// The IANA name of its time zone.
    pub(crate) time_zone: String,
    pub(crate) calendar: Calendar,
}

/// A project and the scopes on it.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) project: Arc<Project>,
    pub(super) scopes: Vec<Scope>,
}

impl Grant {
    /// Whether the scope, or admin, is among the scopes.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|granted| *granted == scope || *granted == Scope::Admin)
    }
}
