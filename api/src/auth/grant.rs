//! What a key grants: scopes on one project.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;

use super::rates::Rates;
use super::retention::Retention;
use crate::error::ApiError;

/// What a key may do. The names are those in the table `api_keys` and in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
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
    pub(crate) name: String,
    pub(crate) rates: Rates,
    pub(crate) retention: Retention,
    /// `None` until it has been read from the database. The project of `API_KEY` accepts events before that.
    zone: Option<Zone>,
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
    /// The project `default` before it has been read from the database.
    pub(super) fn unread_default() -> Self {
        Self {
            id: ProjectId::DEFAULT,
            name: "default".to_owned(),
            rates: Rates::default(),
            retention: Retention::default(),
            zone: None,
        }
    }

    /// A project in this time zone.
    ///
    /// # Errors
    /// Only if the zone is unknown on this machine.
    pub(super) fn new(id: ProjectId, name: String, zone: String, rates: Rates, retention: Retention) -> Result<Self, ApiError> {
        Ok(Self { id, name, rates, retention, zone: Some(Zone::named(zone)?) })
    }

    /// Where its days begin and end.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] until the time zone was read from the database.
    pub(crate) fn zone(&self) -> Result<&Zone, ApiError> {
        let unknown = || io::Error::new(io::ErrorKind::NotConnected, "the project has not been read since the start");
        self.zone.as_ref().ok_or_else(|| ApiError::DatabaseUnavailable(unknown().into()))
    }
}

/// Which key a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyId {
    /// `API_KEY`, which administers the installation.
    Installation,
    /// The number of a key in the table `api_keys`.
    Numbered(i32),
}

/// A project and the scopes on it.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) key: KeyId,
    pub(crate) project: Arc<Project>,
    pub(crate) rates: Rates,
    pub(crate) expires_at: Option<Timestamp>,
    pub(super) scopes: Vec<Scope>,
    /// Whether a use of the key was noted since this grant was looked up.
    pub(super) is_use_noted: AtomicBool,
}

impl Grant {
    /// What `API_KEY` grants.
    pub(super) fn of_installation(project: Project) -> Self {
        Self {
            project: Arc::new(project),
            key: KeyId::Installation,
            rates: Rates::default(),
            expires_at: None,
            scopes: vec![Scope::Admin],
            is_use_noted: AtomicBool::new(false),
        }
    }

    /// Whether the scope, or admin, is among the scopes.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|granted| *granted == scope || *granted == Scope::Admin)
    }

    /// Whether it is that of `API_KEY`.
    pub(crate) fn is_of_installation(&self) -> bool {
        self.key == KeyId::Installation
    }

    /// Whether the key has expired. The database finds no expired key, but grants are cached.
    pub(super) fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end <= Timestamp::now())
    }
}
