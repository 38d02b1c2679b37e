//! `PATCH /admin/projects/{project}`: changes a project.

use axum::Json;
use axum::extract::{Request, State};
use rollcall_shared::project::ProjectId;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use utoipa::ToSchema;

use super::project::{ProjectRow, Shown};
use super::zone::ProjectZone;
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::admin::keys::check_caller;
use crate::admin::limits::{ProjectLimits, ProjectLimitsChange};
use crate::conflict::Conflict;
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Reads `retention_days`: `None` if it is absent, and `Some(None)` to keep events for ever.
pub(super) fn take_retention_days(fields: &mut Fields) -> Option<Option<i32>> {
    fields.number("retention_days", 1..=36_500)
}

/// What to change. What is `None` stays as it is.
struct Change {
    zone: Option<ProjectZone>,
    retention_days: Option<Option<i32>>,
    limits: ProjectLimitsChange,
}

impl Change {
    /// Only the key of the installation may change limits, because they protect the other projects.
    fn read(mut fields: Fields, caller: &Caller) -> Result<Self, ApiError> {
        if fields.has("limits") {
            caller.must_govern_all()?;
        }
        let change = Self {
            zone: ProjectZone::take(&mut fields),
            retention_days: take_retention_days(&mut fields),
            limits: ProjectLimitsChange::take(&mut fields),
        };
        fields.finish()?;
        Ok(change)
    }
}

/// A change of a project. What is absent stays as it is.
#[derive(ToSchema)]
#[schema(as = ProjectChange)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(crate) struct Body {
    /// The IANA name of the time zone. It cannot be changed once an event of the project was stored.
    time_zone: Option<String>,
    /// How many days before the current one, in UTC, events are kept; null for ever. Older ones are deleted.
    #[schema(minimum = 1, maximum = 36_500)]
    retention_days: Option<i32>,
    /// Only the key of the installation may change them.
    limits: Option<ProjectLimits>,
}

/// Changes a project.
#[utoipa::path(
    patch,
    path = "/admin/projects/{project}",
    operation_id = "change_project",
    tag = "administration",
    summary = "Change a project",
    description = "Changes what the body names. The time zone is final once an event of the project was stored (`has_events`), because \
                   the counts of days are cut by it.",
    params(("project" = String, Path, description = "The name of the project.", example = "shop")),
    request_body(content = Body, example = json!({ "retention_days": 90 })),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses(
        (status = 200, description = "The project after the change.", body = Shown),
        refusal::WithKey,
        refusal::WithFields,
        refusal::Conflicting,
        refusal::NoSuch,
    ),
)]
pub(crate) async fn change(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(name): PathText,
    parameters: Parameters,
    request: Request,
) -> Result<Json<Shown>, ApiError> {
    parameters.finish()?;
    caller.governed(Some(&name))?;
    let change = Change::read(Fields::of(request).await?, &caller)?;
    let mut lease = administration.lease().await?;
    if let Some(zone) = &change.zone {
        zone.check_in_database(&mut lease).await?;
    }
    let mut transaction = lease.begin().await?;
    let (id, project) = apply(&change, &name, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    administration.project_changed(id);
    tracing::info!(project = %id, "a project was changed");
    Ok(Json(project))
}

async fn apply(
    change: &Change,
    name: &str,
    caller: &Caller,
    connection: &mut PgConnection,
) -> Result<(ProjectId, Shown), ApiError> {
    check_caller(caller, connection).await?;
    // From here on, workers cannot take numbers for event types of this project.
    let row = sqlx::query_file_as!(ProjectRow, "sql/admin/lock_project.sql", name).fetch_optional(&mut *connection).await?;
    let row = row.ok_or(ApiError::NoProject)?;
    let id = row.id();
    let before = Shown::from(row);
    let zone = change.zone.as_ref().map_or(before.time_zone.as_str(), ProjectZone::name);
    if zone != before.time_zone && has_event_types(id, connection).await? {
        return Err(Conflict::HasEvents.into());
    }
    let after = Shown {
        time_zone: zone.to_owned(),
        retention_days: change.retention_days.unwrap_or(before.retention_days),
        limits: change.limits.of(before.limits),
        ..before.clone()
    };
    if after != before {
        update(id, &after, connection).await?;
        let (shown_before, shown_after) = (Some(json!(before)), Some(json!(after)));
        let entry = Entry { action: Action::ChangeProject, project: id, key: None, before: shown_before, after: shown_after };
        record(entry, caller, connection).await?;
    }
    Ok((id, after))
}

/// Whether a worker has begun to store events of the project. The caller holds the lock on the project, so none
/// can begin now.
async fn has_event_types(id: ProjectId, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_file_scalar!("sql/admin/has_event_types.sql", id.0).fetch_one(connection).await
}

async fn update(id: ProjectId, after: &Shown, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let update = sqlx::query_file!(
        "sql/admin/update_project.sql",
        id.0,
        after.time_zone,
        after.retention_days,
        after.limits.requests_per_second,
        after.limits.events_per_second,
        after.limits.max_event_types,
    );
    update.execute(connection).await.map(drop)
}
