//! `POST /admin/projects`: makes a project.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use utoipa::ToSchema;

use super::change::take_retention_days;
use super::name::ProjectName;
use super::project::{ProjectRow, Shown};
use super::zone::ProjectZone;
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::admin::limits::{ProjectLimits, ProjectLimitsChange};
use crate::conflict::Conflict;
use crate::error::ApiError;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Maximum number of projects. Each costs the services some memory and the workers some statements.
const MAX_PROJECTS: i64 = 10_000;

/// A project to make.
struct NewProject {
    name: ProjectName,
    zone: ProjectZone,
    retention_days: Option<i32>,
    limits: ProjectLimits,
}

impl NewProject {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let project = Self {
            name: ProjectName::take(&mut fields),
            zone: ProjectZone::take(&mut fields).unwrap_or_else(ProjectZone::utc),
            retention_days: take_retention_days(&mut fields).flatten(),
            limits: ProjectLimitsChange::take(&mut fields).of(ProjectLimits::default()),
        };
        fields.finish()?;
        Ok(project)
    }
}

/// A new project.
#[derive(ToSchema)]
#[schema(as = NewProject)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(crate) struct Body {
    /// 1 to 100 of the characters a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit.
    name: String,
    /// The IANA name of the time zone in which its days begin and end; UTC by default.
    time_zone: Option<String>,
    /// How many days before the current one, in UTC, events are kept; null for ever. Older ones are deleted.
    #[schema(minimum = 1, maximum = 36_500)]
    retention_days: Option<i32>,
    limits: Option<ProjectLimits>,
}

/// Makes a project.
#[utoipa::path(
    post,
    path = "/admin/projects",
    operation_id = "create_project",
    tag = "administration",
    summary = "Make a project",
    description = "Makes a project. Only the key of the installation (`API_KEY`) may do this.",
    request_body(content = Body, example = json!({ "name": "shop", "time_zone": "Europe/Berlin" })),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses(
        (status = 201, description = "The project.", body = Shown),
        refusal::WithKey,
        refusal::WithFields,
        refusal::Conflicting,
    ),
)]
pub(crate) async fn create(
    State(administration): State<Administration>,
    caller: Caller,
    parameters: Parameters,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    parameters.finish()?;
    caller.must_govern_all()?;
    let new = NewProject::read(Fields::of(request).await?)?;
    let mut lease = administration.lease().await?;
    new.zone.check_in_database(&mut lease).await?;
    let mut transaction = lease.begin().await?;
    let project = insert(&new, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    tracing::info!(project = new.name.as_str(), "a project was made");
    Ok((StatusCode::CREATED, Json(project)))
}

async fn insert(new: &NewProject, caller: &Caller, connection: &mut PgConnection) -> Result<Shown, ApiError> {
    // Whoever makes projects waits here for the others, so that together they keep the limit.
    sqlx::query_file!("sql/admin/lock_projects.sql").fetch_one(&mut *connection).await?;
    if sqlx::query_file_scalar!("sql/admin/count_projects.sql").fetch_one(&mut *connection).await? >= MAX_PROJECTS {
        return Err(Conflict::TooManyProjects { limit: MAX_PROJECTS }.into());
    }
    let row = sqlx::query_file_as!(
        ProjectRow,
        "sql/admin/insert_project.sql",
        new.name.as_str(),
        new.zone.name(),
        new.retention_days,
        new.limits.requests_per_second,
        new.limits.events_per_second,
        new.limits.max_event_types,
    );
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Conflict::ProjectExists)?;
    let id = row.id();
    let shown = Shown::from(row);
    let entry = Entry { action: Action::CreateProject, project: id, key: None, before: None, after: Some(json!(shown)) };
    record(entry, caller, connection).await?;
    Ok(shown)
}
