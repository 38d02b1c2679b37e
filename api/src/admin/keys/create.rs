//! `POST /admin/keys`: makes a key.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use strum::VariantNames;
use utoipa::ToSchema;

use super::insert::{NewKey, insert};
use super::key::ShownOnce;
use super::{check_caller, expiry};
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::admin::limits::KeyLimits;
use crate::admin::projects::id_of;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Longest name in characters.
const MAX_NAME_CHARACTERS: usize = 100;

/// A key to make.
struct Wanted {
    project: Option<String>,
    name: String,
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
    limits: KeyLimits,
}

impl Wanted {
    fn read(mut fields: Fields, caller: &Caller) -> Result<Self, ApiError> {
        let wanted = Self {
            project: fields.text("project"),
            name: take_name(&mut fields),
            scopes: take_scopes(&mut fields),
            expires_at: expiry::take(&mut fields).flatten(),
            limits: KeyLimits::take(&mut fields),
        };
        fields.finish()?;
        expiry::check(wanted.expires_at, caller)?;
        Ok(wanted)
    }
}

fn take_name(fields: &mut Fields) -> String {
    let name = fields.required_text("name");
    let is_valid = (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_valid && !fields.has_problem("name") {
        fields.problem("name", "invalid", "must have 1 to 100 characters, and no control characters");
    }
    name
}

/// The scopes, each once and in one order.
fn take_scopes(fields: &mut Fields) -> Vec<String> {
    let names = fields.texts("scopes");
    let mut scopes: Vec<Scope> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if (scopes.len() < names.len() || scopes.is_empty()) && !fields.has_problem("scopes") {
        let message = format!("must be one or more of {}", Scope::VARIANTS.join(", "));
        fields.problem("scopes", "invalid", &message);
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes.into_iter().map(|scope| <&str>::from(scope).to_owned()).collect()
}

/// A new key.
#[derive(ToSchema)]
#[schema(as = NewKeyRequest)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(crate) struct Body {
    /// The name of the project; that of the request's own key by default.
    project: Option<String>,
    /// What the key is for, in 1 to 100 characters.
    name: String,
    /// One or more of `ingest`, `read` and `admin`, which implies the others.
    scopes: Vec<String>,
    /// When the key expires (RFC 3339); never if it is null. It must not outlive the key of the request.
    expires_at: Option<String>,
    limits: Option<KeyLimits>,
}

/// Makes a key.
#[utoipa::path(
    post,
    path = "/admin/keys",
    operation_id = "create_key",
    tag = "administration",
    summary = "Make a key",
    description = "Makes a key and shows it. The service keeps only a hash of the key, so it cannot be shown again.",
    request_body(content = Body, example = json!({
        "project": "shop", "name": "web", "scopes": ["ingest"], "expires_at": null,
        "limits": { "requests_per_second": 50, "events_per_second": 5000 },
    })),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses(
        (status = 201, description = "The key.", body = ShownOnce),
        refusal::WithKey,
        refusal::WithFields,
        refusal::Conflicting,
        refusal::NoSuch,
    ),
)]
pub(crate) async fn create(
    State(administration): State<Administration>,
    caller: Caller,
    parameters: Parameters,
    request: Request,
) -> Result<(StatusCode, Json<ShownOnce>), ApiError> {
    parameters.finish()?;
    let wanted = Wanted::read(Fields::of(request).await?, &caller)?;
    let mut lease = administration.lease().await?;
    let mut transaction = lease.begin().await?;
    let key = make(&wanted, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    tracing::info!(name = wanted.name, "a key was made");
    Ok((StatusCode::CREATED, Json(key)))
}

async fn make(wanted: &Wanted, caller: &Caller, connection: &mut PgConnection) -> Result<ShownOnce, ApiError> {
    let project = caller.governed(wanted.project.as_deref())?;
    check_caller(caller, connection).await?;
    let new = NewKey {
        project: id_of(project, connection).await?,
        name: &wanted.name,
        scopes: &wanted.scopes,
        expires_at: wanted.expires_at,
        limits: wanted.limits,
        replaces: None,
    };
    insert(new, caller, connection).await
}
