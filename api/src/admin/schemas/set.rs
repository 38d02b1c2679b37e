//! `PUT /admin/schemas/{event_type}`: sets the schema of an event type.

use axum::Json;
use axum::extract::{Request, State};
use rollcall_shared::project::ProjectId;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::event_type::EventType;
use super::schema::{FullRow, InFull};
use super::{find, lock_project, raise_revision, take_project};
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::admin::keys::check_caller;
use crate::admin::projects::id_of;
use crate::conflict::Conflict;
use crate::error::ApiError;
use crate::event_rules::{CompiledSchema, Flaw, Mode};
use crate::extract::PathText;
use crate::openapi::{parameter, refusal};
use crate::parameters::Parameters;
use crate::problem::Problem;

/// Maximum size of a body in bytes: the largest schema, and white space.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Maximum number of schemas of a project.
const MAX_SCHEMAS: i64 = 1_000;
/// Maximum memory that the compiled schemas of a project take in an API, as an upper bound that they rarely reach.
const MAX_MEMORY_BYTES: i64 = 64 << 20;

/// A schema to set.
struct NewSchema {
    mode: &'static str,
    /// Without white space.
    text: String,
    memory_bytes: i32,
}

impl NewSchema {
    async fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let (mode, schema) = (fields.required_choice::<Mode>("mode"), fields.required_object("schema"));
        fields.finish()?;
        // If one of them were missing, there would be a problem.
        let (Some(mode), Some(schema)) = (mode, schema) else { return Err(ApiError::internal("a field is missing")) };
        // Compiling keeps a core busy.
        tokio::task::spawn_blocking(move || Self::compile(mode, &schema)).await.map_err(ApiError::internal)?
    }

    fn compile(mode: Mode, schema: &Value) -> Result<Self, ApiError> {
        let refused = |flaw: Flaw| ApiError::InvalidFields(vec![Problem::of_parameter(&flaw.field, flaw.code, flaw.message)]);
        let memory_bytes = CompiledSchema::compile(schema).map_err(refused)?.memory_bytes;
        let memory_bytes = i32::try_from(memory_bytes).unwrap_or(i32::MAX);
        Ok(Self { mode: mode.into(), text: schema.to_string(), memory_bytes })
    }
}

/// Describes the parameters.
pub(crate) struct Described;

impl IntoParams for Described {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("", take_project)
    }
}

/// The schema of an event type.
#[derive(ToSchema)]
#[schema(as = NewEventSchema)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(crate) struct Body {
    /// `warn` to accept and count events that do not match, or `reject` to refuse and count them.
    mode: String,
    /// A JSON Schema for the properties of an event.
    #[schema(value_type = Object)]
    schema: Value,
}

/// Sets a schema.
#[utoipa::path(
    put,
    path = "/admin/schemas/{event_type}",
    operation_id = "set_schema",
    tag = "administration",
    summary = "Set the schema of an event type",
    description = "Sets the JSON Schema that the properties of all further events of this type must match, in place of the one before. \
                   Every replica checks events against it within five seconds. References may lead only into the schema itself. If \
                   the schema or the mode is another one than before, counting begins anew.",
    params(("event_type" = String, Path, description = "The event type.", example = "login"), Described),
    request_body(content = Body, example = json!({
        "mode": "reject", "schema": { "type": "object", "properties": { "device": { "type": "string" } } },
    })),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses(
        (status = 200, description = "The schema.", body = InFull),
        refusal::WithKey,
        refusal::WithFields,
        refusal::Conflicting,
        refusal::NoSuch,
    ),
)]
pub(crate) async fn set(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(event_type): PathText,
    mut parameters: Parameters,
    request: Request,
) -> Result<Json<InFull>, ApiError> {
    let project = take_project(&mut parameters);
    parameters.finish()?;
    let name = caller.governed(project.as_deref())?;
    let event_type = EventType::of_path(event_type)?;
    let new = NewSchema::read(Fields::of_up_to(MAX_BODY_BYTES, request).await?).await?;
    let mut lease = administration.lease().await?;
    let mut transaction = lease.begin().await?;
    check_caller(&caller, &mut transaction).await?;
    let project = id_of(name, &mut transaction).await?;
    let schema = apply(&new, &event_type, project, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    administration.schemas_changed(project).await;
    tracing::info!(%project, mode = new.mode, "a schema was set");
    Ok(Json(schema))
}

async fn apply(
    new: &NewSchema,
    event_type: &EventType,
    project: ProjectId,
    caller: &Caller,
    connection: &mut PgConnection,
) -> Result<InFull, ApiError> {
    lock_project(project, connection).await?;
    let before = match find(project, event_type.as_str(), connection).await? {
        Some(same) if same.is(new.mode, &new.text) => return Ok(same.into()),
        before => before,
    };
    check_room(new, event_type, project, connection).await?;
    let (name, text) = (event_type.as_str(), new.text.as_str());
    let upsert = sqlx::query_file!("sql/admin/upsert_schema.sql", project.0, name, new.mode, text, new.memory_bytes);
    upsert.execute(&mut *connection).await?;
    raise_revision(project, connection).await?;
    let after = find(project, name, connection).await?.ok_or_else(|| ApiError::internal("the schema was not stored"))?;
    let (logged_before, logged_after) = (before.as_ref().map(FullRow::logged), Some(after.logged()));
    let entry = Entry { action: Action::SetSchema, project, key: None, before: logged_before, after: logged_after };
    record(entry, caller, connection).await?;
    Ok(after.into())
}

/// Checks that the project may have the schema in addition to those of other event types.
async fn check_room(
    new: &NewSchema,
    event_type: &EventType,
    project: ProjectId,
    connection: &mut PgConnection,
) -> Result<(), ApiError> {
    let others = sqlx::query_file!("sql/admin/measure_schemas.sql", project.0, event_type.as_str()).fetch_one(connection).await?;
    if others.schemas >= MAX_SCHEMAS {
        return Err(Conflict::TooManySchemas { limit: MAX_SCHEMAS }.into());
    }
    if others.memory_bytes + i64::from(new.memory_bytes) > MAX_MEMORY_BYTES {
        return Err(Conflict::SchemasTooLarge { limit_bytes: MAX_MEMORY_BYTES }.into());
    }
    Ok(())
}
