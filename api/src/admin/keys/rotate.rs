//! `POST /admin/keys/{key_id}/rotate`: makes a key that takes the place of another.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use utoipa::ToSchema;

use super::expiry;
use super::insert::{NewKey, insert};
use super::key::{KeyRow, Shown, ShownOnce};
use super::lock::lock_key;
use super::revoke::number;
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::conflict::Conflict;
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// How long both keys are valid unless the request says otherwise: an hour, to deploy the new one.
const OVERLAP_SECS: i32 = 3_600;
/// Longest overlap: 30 days.
const MAX_OVERLAP_SECS: i32 = 30 * 24 * 3_600;

/// What a request says about the rotation.
struct Rotation {
    overlap_secs: i32,
    /// `None` for the same as the old key.
    expires_at: Option<Option<Timestamp>>,
}

impl Rotation {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let overlap = fields.number("overlap_seconds", 0..=MAX_OVERLAP_SECS);
        let expires_at = expiry::take(&mut fields);
        fields.finish()?;
        Ok(Self { overlap_secs: overlap.flatten().unwrap_or(OVERLAP_SECS), expires_at })
    }
}

/// A rotation.
#[derive(ToSchema)]
#[schema(as = KeyRotation)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(crate) struct Body {
    /// How many seconds the old key remains valid, unless it expires before.
    #[schema(minimum = 0, maximum = 2_592_000, default = 3_600)]
    overlap_seconds: Option<i32>,
    /// When the new key expires (RFC 3339), or null; when the old one would have if it is absent.
    expires_at: Option<String>,
}

/// Rotates a key.
#[utoipa::path(
    post,
    path = "/admin/keys/{key_id}/rotate",
    operation_id = "rotate_key",
    tag = "administration",
    summary = "Replace a key",
    description = "Makes a key with the name, the scopes and the limits of another, which ends after the overlap. A key can be rotated once.",
    params(("key_id" = i32, Path, description = "The `key_id` from a list.", example = 1)),
    request_body(content = Body, example = json!({ "overlap_seconds": 3600 })),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses(
        (status = 201, description = "The new key.", body = ShownOnce),
        refusal::WithKey,
        refusal::WithFields,
        refusal::Conflicting,
        refusal::NoSuch,
    ),
)]
pub(crate) async fn rotate(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(key_id): PathText,
    parameters: Parameters,
    request: Request,
) -> Result<(StatusCode, Json<ShownOnce>), ApiError> {
    parameters.finish()?;
    let id = number(&key_id)?;
    let rotation = Rotation::read(Fields::of(request).await?)?;
    let mut lease = administration.lease().await?;
    let mut transaction = lease.begin().await?;
    let key = replace(id, &rotation, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    administration.key_changed(id).await;
    tracing::info!(key_id = id, "a key was rotated");
    Ok((StatusCode::CREATED, Json(key)))
}

async fn replace(id: i32, rotation: &Rotation, caller: &Caller, connection: &mut PgConnection) -> Result<ShownOnce, ApiError> {
    let old = lock_key(id, caller, connection).await?;
    if !old.is_valid {
        return Err(Conflict::KeyEnded.into());
    }
    let expires_at = rotation.expires_at.unwrap_or(old.expires_at.map(SqlTimestamp::to_jiff));
    expiry::check(expires_at, caller)?;
    let new = NewKey {
        project: old.project_id(),
        name: &old.name,
        scopes: &old.scopes,
        expires_at,
        limits: old.limits(),
        replaces: Some(id),
    };
    let made = insert(new, caller, connection).await?;
    let end =
        sqlx::query_file!("sql/admin/end_key.sql", id, f64::from(rotation.overlap_secs)).fetch_one(&mut *connection).await?;
    let after = KeyRow { expires_at: end.expires_at, ..old.clone() };
    let project = old.project_id();
    let (before, after) = (Some(json!(Shown::from(old))), Some(json!(Shown::from(after))));
    record(Entry { action: Action::RotateKey, project, key: Some(id), before, after }, caller, connection).await?;
    Ok(made)
}
