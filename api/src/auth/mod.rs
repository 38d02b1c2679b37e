//! Authentication and authorisation: who sends a request, what they may do, and how much.
//!
//! A request carries [`Credentials`]: a key, or the cookie of a `session` that stands for one. [`KeyRing`] finds what the
//! key grants. `look_ups` asks the database, `rows` reads what it answers, and `strangers` bounds the look-ups of keys that
//! do not exist. [`KeyCheck`] also charges the request to the `limits` of the key and of its project, which are those of
//! the settings or its own `rates`. The `retention` of a project says which events it still takes. A handler with
//! [`Access`] among its arguments runs only if the key has the scope that this type names. Uses of keys are noted
//! (`last_use`).

mod credentials;
mod grant;
mod key_check;
mod key_ring;
mod last_use;
mod limits;
mod look_ups;
mod rates;
mod retention;
mod rows;
mod session;
mod strangers;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

pub(crate) use self::credentials::{Credential, Credentials, bearer, credentials, key};
pub(crate) use self::grant::{Grant, KeyId, Project, Scope, Zone};
pub(crate) use self::key_check::KeyCheck;
pub(crate) use self::key_ring::{KeyHash, KeyRing};
use self::limits::Unit;
pub(crate) use self::limits::{Limit, Limits, RateLimited, Ticket, announce};
pub(crate) use self::look_ups::LookUps;
pub(crate) use self::retention::Horizon;
pub(crate) use self::session::{Session, Sessions, Token, may_sign_in};
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
    /// What the key grants.
    pub(crate) grant: Arc<Grant>,
    /// What the client was let in with.
    pub(crate) credential: Credential,
    limits: Arc<Limits>,
    ticket: Ticket,
    scope: PhantomData<S>,
}

impl<S, State> FromRequestParts<State> for Access<S>
where
    S: RequiredScope,
    State: Send + Sync,
    KeyCheck: FromRequestParts<State, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let check = KeyCheck::from_request_parts(parts, state).await?;
        let ticket = Ticket::from_request_parts(parts, state).await?;
        let credentials = credentials(parts).ok_or(ApiError::Unauthorized)?;
        check.request(credentials, &ticket).await
    }
}

impl<S: RequiredScope> Access<S> {
    fn new(credential: Credential, grant: Arc<Grant>, limits: Arc<Limits>, ticket: Ticket) -> Self {
        Self { project: grant.project.clone(), credential, grant, limits, ticket, scope: PhantomData }
    }

    /// Charges one request. A WebSocket carries many of them.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`].
    pub(crate) fn charge_request(&self) -> Result<(), ApiError> {
        let outcome = self.limits.charge(&self.grant, Unit::Requests, 1);
        self.ticket.note(outcome).map_err(ApiError::RateLimited)
    }

    /// Charges the events of a batch, all or none.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`].
    pub(crate) fn charge_events(&self, events: usize) -> Result<(), ApiError> {
        let outcome = self.limits.charge(&self.grant, Unit::Events, events);
        self.ticket.note(outcome).map_err(ApiError::RateLimited)
    }

    /// Whether a batch of one event could be charged.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`].
    pub(crate) fn check_events(&self) -> Result<(), ApiError> {
        let outcome = self.limits.look(&self.grant, Unit::Events);
        self.ticket.note(outcome).map_err(ApiError::RateLimited)
    }

    fn check_scope(&self) -> Result<(), ApiError> {
        if self.grant.allows(S::SCOPE) { Ok(()) } else { Err(ApiError::Forbidden(S::SCOPE.into())) }
    }
}

/// The names of all limits, as labels of metrics.
pub(crate) fn limit_names() -> impl Iterator<Item = &'static str> {
    limits::names().chain([strangers::LIMIT_NAME])
}
