//! What a key grants: scopes on one project.

use std::io;
use std::sync::{Arc, OnceLock};

use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;

use crate::error::ApiError;

/// What a key may do. The names are those in the table `api_keys` and in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Scope {
    /// Send events.
    Ingest,
    /// Send queries.
    Read,
    /// Administer; implies both others.
    Admin,
}

/// The project that a request works in.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    /// Empty until it has been read from the database. The project of `API_KEY` accepts events before that.
    zone: OnceLock<Zone>,
}

/// Where a project's days begin and end.
#[derive(Debug)]
pub(crate) struct Zone {
    /// The IANA name.
    pub(crate) name: String,
    pub(crate) calendar: Calendar,
}

impl Zone {
    /// The zone of this IANA name.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(crate) fn named(name: String) -> Result<Self, ApiError> {
        let calendar = Calendar::of_zone(&name).map_err(ApiError::internal)?;
        Ok(Self { name, calendar })
    }
}

impl Project {
    /// A project whose time zone is not known yet.
    pub(super) fn without_zone(id: ProjectId) -> Self {
        Self { id, zone: OnceLock::new() }
    }

    /// A project in this time zone.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(super) fn new(id: ProjectId, zone: String) -> Result<Self, ApiError> {
        let project = Self::without_zone(id);
        project.set_zone(zone)?;
        Ok(project)
    }

    /// Sets the time zone. Later calls change nothing.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(super) fn set_zone(&self, name: String) -> Result<(), ApiError> {
        let zone = Zone::named(name)?;
        self.zone.get_or_init(|| zone);
        Ok(())
    }

    /// Where its days begin and end.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] until the time zone was read from the database.
    pub(crate) fn zone(&self) -> Result<&Zone, ApiError> {
        let unknown = || io::Error::new(io::ErrorKind::NotConnected, "the project has not been read since the start");
        self.zone.get().ok_or_else(|| ApiError::DatabaseUnavailable(unknown().into()))
    }
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
