//! The check of credentials: what they grant, and whether the limits of their key allow one more request.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use super::credentials::{Credential, Credentials};
use super::grant::Grant;
use super::key_ring::{KeyHash, KeyRing};
use super::limits::{Limits, Ticket, Unit};
use super::session::{Session, TokenHash};
use super::{Access, RequiredScope};
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// What is needed to check the credentials of one client.
#[derive(Clone)]
pub(crate) struct KeyCheck {
    pub(crate) keys: Arc<KeyRing>,
    limits: Arc<Limits>,
    address: ClientAddress,
}

impl KeyCheck {
    /// The access that credentials give, wherever the client sent them. It costs one request, also if the key lacks
    /// the scope.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`], [`ApiError::RateLimited`], [`ApiError::Forbidden`], and those of
    /// [`KeyRing::grant_of`].
    pub(crate) async fn access<S: RequiredScope>(
        &self,
        credentials: Credentials<'_>,
        ticket: Ticket,
    ) -> Result<Access<S>, ApiError> {
        let (credential, grant) = self.find(credentials).await?.ok_or(ApiError::Unauthorized)?;
        ticket.belongs_to(grant.project.id);
        let access = Access::new(credential, grant, self.limits.clone(), ticket);
        access.charge_request()?;
        access.check_scope()?;
        Ok(access)
    }

    /// The same for a request, which then counts among those that its project has at once.
    ///
    /// # Errors
    /// As [`Self::access`], and [`ApiError::TooManyAtOnce`].
    pub(super) async fn request<S: RequiredScope>(
        &self,
        credentials: Credentials<'_>,
        ticket: &Ticket,
    ) -> Result<Access<S>, ApiError> {
        let access: Access<S> = self.access(credentials, ticket.clone()).await?;
        ticket.hold(self.limits.place(access.project.id)?);
        Ok(access)
    }

    /// What a key grants to somebody who signs in with it, whatever that is. It costs one request.
    ///
    /// # Errors
    /// As [`Self::access`], without [`ApiError::Forbidden`].
    pub(crate) async fn sign_in(&self, key: &str, ticket: &Ticket) -> Result<(KeyHash, Arc<Grant>), ApiError> {
        let (credential, grant) = self.find(Credentials::Key(key)).await?.ok_or(ApiError::Unauthorized)?;
        ticket.belongs_to(grant.project.id);
        let outcome = self.limits.charge(&grant, Unit::Requests, 1);
        ticket.note(outcome).map_err(ApiError::RateLimited)?;
        Ok((credential.key, grant))
    }

    /// What a session grants, and when it ends; `None` if it has ended.
    ///
    /// # Errors
    /// Those of [`KeyRing::grant_of`].
    pub(crate) async fn session(&self, token: &TokenHash) -> Result<Option<(Session, Arc<Grant>)>, ApiError> {
        let Some(session) = self.keys.sessions.find(token, Some(self.address)).await? else { return Ok(None) };
        let grant = self.keys.grant_of(&session.key, Some(self.address)).await?;
        Ok(grant.map(|grant| (session, grant)))
    }

    async fn find(&self, credentials: Credentials<'_>) -> Result<Option<(Credential, Arc<Grant>)>, ApiError> {
        match credentials {
            Credentials::Key(key) => {
                let key = KeyHash::of(key);
                let grant = self.keys.grant_of(&key, Some(self.address)).await?;
                Ok(grant.map(|grant| (Credential { key, session: None }, grant)))
            }
            Credentials::Session(token) => {
                let found = self.session(&token).await?;
                Ok(found.map(|(session, grant)| (Credential { key: session.key, session: Some(token) }, grant)))
            }
        }
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
