//! Extractors: request parts as types that handlers can trust.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::ApiError;
use crate::problem::Problem;

/// The id of this request, for log lines and messages; see [`crate::router`].
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("the request has no id"))
    }
}

/// The variable part of the path.
#[derive(Debug, Clone)]
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is not UTF-8 matches nothing.
        let path = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::NotFound)?;
        Ok(Self(path.0))
    }
}

/// The parts of the path that vary, each with its name.
#[derive(Debug, Clone)]
pub(crate) struct PathParts(pub(crate) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for PathParts {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<Vec<(String, String)>>::from_request_parts(parts, state).await {
            Ok(Path(parts)) => Ok(Self(parts)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => match failed.kind() {
                ErrorKind::InvalidUtf8InPathParam { key } => {
                    Err(ApiError::Parameters(vec![Problem::of_parameter(key, "invalid_text", "is not UTF-8")]))
                }
                _ => Err(ApiError::internal(failed)),
            },
            Err(rejection) => Err(ApiError::internal(rejection)),
        }
    }
}
