//! The caller: who administers, and what.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;

use crate::auth::{Access, Admin, Grant, KeyCheck, KeyId, Project};
use crate::error::ApiError;
use crate::extract::RequestId;

/// A client with the scope `admin`.
pub(crate) struct Caller {
    grant: Arc<Grant>,
    pub(super) request_id: String,
}

impl<State> FromRequestParts<State> for Caller
where
    State: Send + Sync,
    KeyCheck: FromRequestParts<State, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let Access { grant, .. } = Access::<Admin>::from_request_parts(parts, state).await?;
        let RequestId(request_id) = RequestId::from_request_parts(parts, state).await?;
        Ok(Self { grant, request_id })
    }
}

impl Caller {
    /// The project of its key.
    pub(crate) fn project(&self) -> &Project {
        &self.grant.project
    }

    /// The number of its key; `None` for the key of the installation.
    pub(super) fn key_id(&self) -> Option<i32> {
        match self.grant.key {
            KeyId::Installation => None,
            KeyId::Numbered(id) => Some(id),
        }
    }

    /// When its key expires.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.grant.expires_at
    }

    /// Whether it has the key of the installation, which governs every project.
    pub(super) fn governs_all(&self) -> bool {
        self.grant.is_of_installation()
    }

    /// The name of the project that a request is about: the one that it names, or else that of the key.
    ///
    /// # Errors
    /// [`ApiError::OtherProject`] if the caller does not govern the project, whether or not it exists.
    pub(super) fn governed<'n>(&'n self, named: Option<&'n str>) -> Result<&'n str, ApiError> {
        let own = self.project().name.as_str();
        match named {
            None => Ok(own),
            Some(name) if name == own || self.governs_all() => Ok(name),
            Some(_) => Err(ApiError::OtherProject),
        }
    }

    /// Checks that it has the key of the installation.
    ///
    /// # Errors
    /// [`ApiError::InstallationOnly`].
    pub(super) fn must_govern_all(&self) -> Result<(), ApiError> {
        if self.governs_all() { Ok(()) } else { Err(ApiError::InstallationOnly) }
    }
}
