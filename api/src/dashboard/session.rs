//! `/ui/session`: signs in with a key, says who is signed in, and signs out.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admin::Administration;
use crate::auth::{self, Credentials, Grant, KeyCheck, KeyRing, Session, Ticket, Token};
use crate::error::ApiError;
use crate::settings::ApiSettings;

/// Maximum size of a body in bytes. A key has fewer than a hundred.
const MAX_BODY_BYTES: usize = 4 * 1024;
/// Timeout for the arrival of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Who is signed in.
#[derive(Debug, Serialize)]
struct Shown {
    project: String,
    /// The IANA name of the project's time zone.
    time_zone: String,
    /// Every scope that the key has. Admin implies the others, which are listed too.
    scopes: Vec<&'static str>,
    /// Whether it is the key of the installation, which governs all projects.
    installation: bool,
    expires_at: Timestamp,
}

impl Shown {
    fn of(session: &Session, grant: &Grant) -> Result<Self, ApiError> {
        Ok(Self {
            project: grant.project.name.clone(),
            time_zone: grant.project.zone()?.name.clone(),
            scopes: grant.scopes().map(<&str>::from).collect(),
            installation: grant.is_of_installation(),
            expires_at: session.expires_at,
        })
    }
}

/// What the form sends. It has no Debug because it contains a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    key: String,
}

/// `GET /ui/session`: who is signed in, or null. Nobody being signed in is no error: a page asks before it knows.
///
/// # Errors
/// Those of a look-up of keys.
pub(super) async fn show(check: KeyCheck, request: Request) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let Some(Credentials::Session(token)) = auth::credentials(&parts) else { return Ok(Json(None::<Shown>).into_response()) };
    let found = check.session(&token).await?;
    let shown = found.map(|(session, grant)| Shown::of(&session, &grant)).transpose()?;
    Ok(Json(shown).into_response())
}

/// `POST /ui/session`: begins a session of the key in the body.
///
/// # Errors
/// [`ApiError::OtherOrigin`] if a page of another origin sent it; the errors of bodies; those of keys.
pub(super) async fn sign_in(
    State(administration): State<Administration>,
    State(keys): State<Arc<KeyRing>>,
    State(settings): State<Arc<ApiSettings>>,
    check: KeyCheck,
    ticket: Ticket,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if !auth::may_sign_in(&parts) {
        return Err(ApiError::OtherOrigin);
    }
    let SignIn { key } = read(&parts.headers, body).await?;
    let (key, grant) = check.sign_in(&key, &ticket).await?;
    let (token, session) = keys.sessions.begin(&administration.pool, key, grant.expires_at).await?;
    let cookie = token.cookie(settings.tls.is_some() || is_tls(&parts))?;
    let answer = (StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(Shown::of(&session, &grant)?));
    Ok(answer.into_response())
}

/// `DELETE /ui/session`: ends the session and makes the browser forget it.
///
/// # Errors
/// [`ApiError::OtherOrigin`] if a page of another origin sent it; those of the database.
pub(super) async fn sign_out(
    State(administration): State<Administration>,
    State(keys): State<Arc<KeyRing>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    if !auth::may_sign_in(&parts) {
        return Err(ApiError::OtherOrigin);
    }
    if let Some(Credentials::Session(token)) = auth::credentials(&parts) {
        keys.sessions.end(&administration.pool, &token).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    for cookie in Token::forgotten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn read(headers: &HeaderMap, body: axum::body::Body) -> Result<SignIn, ApiError> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(ApiError::Unsupported("send the key as application/json".to_owned()));
    }
    let bytes = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await.map_err(|_| ApiError::BodyTimeout)?;
    let bytes = bytes.map_err(|_| ApiError::BodyTooLarge { limit: MAX_BODY_BYTES })?;
    // The error could quote the key, so it says only what was expected.
    serde_json::from_slice(&bytes)
        .map_err(|_| ApiError::Body("the body must be an object with the text key and nothing else".to_owned()))
}

/// Whether the browser reached the service over TLS, which a proxy may have ended.
fn is_tls(parts: &Parts) -> bool {
    parts.headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}
