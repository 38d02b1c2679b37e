//! The check of a key: what it grants, and whether its limits allow one more request.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use super::key_ring::{KeyHash, KeyRing};
use super::limits::{Limits, Ticket};
use super::{Access, RequiredScope};
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// What is needed to check the keys of one client.
#[derive(Clone)]
pub(crate) struct KeyCheck {
    pub(crate) keys: Arc<KeyRing>,
    limits: Arc<Limits>,
    address: ClientAddress,
}

impl KeyCheck {
    /// The access that a key gives, wherever the client sent it. It costs one request, also if the key lacks the
    /// scope.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`], [`ApiError::RateLimited`], [`ApiError::Forbidden`], and those of
    /// [`KeyRing::grant_of`].
    pub(crate) async fn access<S: RequiredScope>(&self, key: &str, ticket: Ticket) -> Result<Access<S>, ApiError> {
        let key = KeyHash::of(key);
        let grant = self.keys.grant_of(&key, Some(self.address)).await?.ok_or(ApiError::Unauthorized)?;
        ticket.belongs_to(grant.project.id);
        let access = Access::new(key, grant, self.limits.clone(), ticket);
        access.charge_request()?;
        access.check_scope()?;
        Ok(access)
    }

    /// The same for a request, which then counts among those that its project has at once.
    ///
    /// # Errors
    /// As [`Self::access`], and [`ApiError::TooManyAtOnce`].
    pub(super) async fn request<S: RequiredScope>(&self, key: &str, ticket: &Ticket) -> Result<Access<S>, ApiError> {
        let access: Access<S> = self.access(key, ticket.clone()).await?;
        ticket.hold(self.limits.place(access.project.id)?);
        Ok(access)
    }
}

impl<State> FromRequestParts<State> for KeyCheck
where
    State: Send + Sync,
    Arc<KeyRing>: FromRef<State>,
    Arc<Limits>: FromRef<State>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let address = ClientAddress::from_request_parts(parts, state).await?;
        Ok(Self { keys: Arc::<KeyRing>::from_ref(state), limits: Arc::<Limits>::from_ref(state), address })
    }
}
