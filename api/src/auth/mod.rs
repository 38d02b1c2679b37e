//! Authentication and authorisation: who sends a request, and what they may do.
//!
//! A request carries a key, and [`KeyRing`] finds what the key grants. A handler with [`Access`] among its
//! arguments runs only if the key has the scope that this type names.

mod grant;
mod key_ring;
mod rates;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

pub(crate) use self::grant::{Grant, KeyId, Project, Zone};
use self::grant::Scope;
pub(crate) use self::key_ring::{KeyHash, KeyRing};
use crate::error::ApiError;

/// The scope to send events.
pub(crate) struct Ingest;
/// The scope to send queries.
pub(crate) struct Read;
/// The scope to administer.
pub(crate) struct Admin;

/// A scope as a type.
pub(crate) trait RequiredScope {
    const SCOPE: Scope;
}

impl RequiredScope for Ingest {
    const SCOPE: Scope = Scope::Ingest;
}

impl RequiredScope for Read {
    const SCOPE: Scope = Scope::Read;
}

impl RequiredScope for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Proof that the key of the request has the scope `S` on `project`.
pub(crate) struct Access<S> {
    pub(crate) project: Arc<Project>,
    /// Which key it is.
    pub(crate) key: KeyHash,
    /// What the key grants.
    pub(crate) grant: Arc<Grant>,
    scope: PhantomData<S>,
}

impl<S, State> FromRequestParts<State> for Access<S>
where
    S: RequiredScope,
    State: Send + Sync,
    Arc<KeyRing>: FromRef<State>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let key = key(&parts.headers).ok_or(ApiError::Unauthorized)?;
        Self::of_key(&Arc::<KeyRing>::from_ref(state), key).await
    }
}

impl<S: RequiredScope> Access<S> {
    /// The access that a key gives, wherever the client sent it.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`], [`ApiError::Forbidden`], and those of [`KeyRing::grant_of`].
    pub(crate) async fn of_key(keys: &KeyRing, key: &str) -> Result<Self, ApiError> {
        let key = KeyHash::of(key);
        let grant = keys.grant_of(&key).await?.ok_or(ApiError::Unauthorized)?;
        if !grant.allows(S::SCOPE) {
            return Err(ApiError::Forbidden(S::SCOPE.into()));
        }
        Ok(Self { project: grant.project.clone(), key, grant, scope: PhantomData })
    }
}

/// The key of a request: `X-API-Key`, or `Authorization: Bearer`.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok();
    }
    bearer(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// The key in a value of `Authorization`.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
