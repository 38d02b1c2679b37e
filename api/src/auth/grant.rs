//! What a key grants: scopes on one project.

use std::io;
use std::sync::{Arc, OnceLock};

use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;

use super::rates::Rates;
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
    read: OnceLock<(Zone, Rates)>,
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
    /// A project that has not been read from the database yet.
    pub(super) fn unread(id: ProjectId) -> Self {
        Self { id, read: OnceLock::new() }
    }

    /// A project in this time zone.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(super) fn new(id: ProjectId, zone: String, rates: Rates) -> Result<Self, ApiError> {
        let project = Self::unread(id);
        project.set(zone, rates)?;
        Ok(project)
    }

    /// Sets what was read. Later calls change nothing.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(super) fn set(&self, zone: String, rates: Rates) -> Result<(), ApiError> {
        let zone = Zone::named(zone)?;
        self.read.get_or_init(|| (zone, rates));
        Ok(())
    }

    /// Where its days begin and end.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] until the time zone was read from the database.
    pub(crate) fn zone(&self) -> Result<&Zone, ApiError> {
        let unknown = || io::Error::new(io::ErrorKind::NotConnected, "the project has not been read since the start");
        self.read.get().map(|(zone, _)| zone).ok_or_else(|| ApiError::DatabaseUnavailable(unknown().into()))
    }

    /// How much all its keys together may send; the defaults until it was read from the database.
    pub(crate) fn rates(&self) -> Rates {
        self.read.get().map(|(_, rates)| *rates).unwrap_or_default()
    }
}

/// Which key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyId {
    /// `API_KEY`.
    Installation,
    /// The id in the table `api_keys`.
    Numbered(i32),
}

/// A project and the scopes on it.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) key: KeyId,
    pub(crate) project: Arc<Project>,
    /// How much the key may send.
    pub(crate) rates: Rates,
    pub(super) scopes: Vec<Scope>,
}

impl Grant {
    /// Whether the scope, or admin, is among the scopes.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|granted| *granted == scope || *granted == Scope::Admin)
    }
}
