//! Rows: keys and projects as the database has them, and what they grant.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp};
use rollcall_shared::project::{EventTypeLimit, ProjectId};

use super::grant::{Grant, KeyId, Project, Zone};
use super::rates::Rates;
use super::retention::Retention;
use crate::error::ApiError;
use crate::event_rules::RulesVersion;

/// A key with its project, of `api_key.sql`.
pub(super) struct KeyRow {
    pub(super) id: i32,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<SqlTimestamp>,
    pub(super) requests_per_second: Option<i32>,
    pub(super) events_per_second: Option<i32>,
    pub(super) project_id: i32,
    pub(super) project_name: String,
    pub(super) time_zone: String,
    pub(super) project_requests_per_second: Option<i32>,
    pub(super) project_events_per_second: Option<i32>,
    pub(super) retention_days: Option<i32>,
    pub(super) kept_from: Option<SqlDate>,
    pub(super) event_type_count: i32,
    pub(super) max_event_types: Option<i32>,
    pub(super) schemas_revision: Option<i64>,
}

/// A project, of `project.sql`.
pub(super) struct ProjectRow {
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) requests_per_second: Option<i32>,
    pub(super) events_per_second: Option<i32>,
    pub(super) retention_days: Option<i32>,
    pub(super) kept_from: Option<SqlDate>,
    pub(super) event_type_count: i32,
    pub(super) max_event_types: Option<i32>,
    pub(super) schemas_revision: Option<i64>,
}

impl KeyRow {
    /// What the key grants. `default_limit` is for a project that has none of its own.
    ///
    /// # Errors
    /// Only if the zone of the project is unknown on this machine.
    pub(super) fn into_grant(self, default_limit: EventTypeLimit) -> Result<Grant, ApiError> {
        let project = ProjectRow {
            name: self.project_name,
            time_zone: self.time_zone,
            requests_per_second: self.project_requests_per_second,
            events_per_second: self.project_events_per_second,
            retention_days: self.retention_days,
            kept_from: self.kept_from,
            event_type_count: self.event_type_count,
            max_event_types: self.max_event_types,
            schemas_revision: self.schemas_revision,
        };
        Ok(Grant {
            project: Arc::new(project.into_project(ProjectId(self.project_id), default_limit)?),
            key: KeyId::Numbered(self.id),
            rates: Rates::of_row(self.requests_per_second, self.events_per_second),
            expires_at: self.expires_at.map(SqlTimestamp::to_jiff),
            scopes: self.scopes.iter().filter_map(|name| name.parse().ok()).collect(),
            is_use_noted: AtomicBool::new(false),
        })
    }
}

impl ProjectRow {
    /// The project of this number. `default_limit` is for one that has none of its own.
    ///
    /// # Errors
    /// Only if its zone is unknown on this machine.
    pub(super) fn into_project(self, id: ProjectId, default_limit: EventTypeLimit) -> Result<Project, ApiError> {
        let max_event_types = self.max_event_types.unwrap_or(default_limit.0);
        Ok(Project {
            id,
            name: self.name,
            rates: Rates::of_row(self.requests_per_second, self.events_per_second),
            retention: Retention::of_row(self.retention_days, self.kept_from),
            event_rules: RulesVersion::of_row(self.schemas_revision, self.event_type_count, max_event_types),
            zone: Some(Zone::named(self.time_zone)?),
        })
    }
}
