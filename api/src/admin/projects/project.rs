//! A project as its row and as answers show it.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::admin::limits::ProjectLimits;
use crate::error::ApiError;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct Shown {
    pub(super) name: String,
    /// The IANA time zone in which its days, weeks and months begin and end.
    pub(super) time_zone: String,
    /// How many days before the current one, in UTC, events are kept; null for ever. Older ones are deleted.
    #[schema(minimum = 1, maximum = 36_500)]
    pub(super) retention_days: Option<i32>,
    pub(super) limits: ProjectLimits,
    pub(super) created_at: Timestamp,
}

/// A row of the table `projects`.
pub(super) struct ProjectRow {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) retention_days: Option<i32>,
    pub(super) requests_per_second: Option<i32>,
    pub(super) events_per_second: Option<i32>,
    pub(super) max_event_types: Option<i32>,
    pub(super) created_at: SqlTimestamp,
}

impl ProjectRow {
    pub(super) fn id(&self) -> ProjectId {
        ProjectId(self.id)
    }
}

impl From<ProjectRow> for Shown {
    fn from(row: ProjectRow) -> Self {
        let limits = ProjectLimits {
            requests_per_second: row.requests_per_second,
            events_per_second: row.events_per_second,
            max_event_types: row.max_event_types,
        };
        Self {
            name: row.name,
            time_zone: row.time_zone,
            retention_days: row.retention_days,
            limits,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// The number of the project with this name.
///
/// # Errors
/// [`ApiError::NoProject`], and those of the database.
pub(in crate::admin) async fn id_of(name: &str, connection: &mut PgConnection) -> Result<ProjectId, ApiError> {
    let id = sqlx::query_file_scalar!("sql/admin/select_project_id.sql", name).fetch_optional(connection).await?;
    id.map(ProjectId).ok_or(ApiError::NoProject)
}
