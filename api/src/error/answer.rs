//! Errors as clients get them: `application/problem+json` (RFC 9457).
//!
//! The details of an internal error never reach the client: they go to one log line, written here,
//! inside the span that carries the request id.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::ApiError;
use crate::problem::ProblemDetails;

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::OfAnother(error) => error.status(),
            Self::Body(_) | Self::Parameters(_) | Self::InvalidQuery(_) | Self::QueryTooComplex(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::InstallationOnly | Self::OtherProject | Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoSuch(_) | Self::NoSchema | Self::NoProject => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Archived(_) => StatusCode::CONFLICT,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } | Self::TooManyEvents { .. } | Self::CheckTooSlow => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::EmptyBatch
            | Self::InvalidEvents { .. }
            | Self::InvalidEnvelope(_)
            | Self::InvalidFields(_)
            | Self::Expired { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyQueries { .. }
            | Self::TooManyReaders { .. }
            | Self::RateLimited(_)
            | Self::TooManyAtOnce { .. }
            | Self::TooManyChanges { .. }
            | Self::TooManyUnknownKeys => StatusCode::TOO_MANY_REQUESTS,
            Self::QueueFull
            | Self::QueueUnavailable
            | Self::DeadLettersUnavailable
            | Self::NotConfirmed { .. }
            | Self::Overloaded
            | Self::UnsentFull
            | Self::Stopping
            | Self::LiveFull { .. }
            | Self::DatabaseBusy(_)
            | Self::DatabaseUnavailable(_)
            | Self::TooSlow(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OfAnother(error) => error.code(),
            Self::Body(_) => "invalid_body",
            Self::Parameters(_) => "invalid_parameters",
            Self::InvalidQuery(_) => "invalid_query",
            Self::QueryTooComplex(_) => "query_too_complex",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) | Self::InstallationOnly | Self::OtherProject | Self::OtherOrigin => "forbidden",
            Self::NotFound | Self::NoSuch(_) | Self::NoSchema | Self::NoProject => "not_found",
            Self::Conflict(conflict) => conflict.code(),
            Self::Archived(_) => "archived",
            Self::BodyTimeout => "body_timeout",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::TooManyEvents { .. } => "too_many_events",
            Self::CheckTooSlow => "check_too_slow",
            Self::Unsupported(_) => "unsupported_media_type",
            Self::EmptyBatch => "empty_batch",
            Self::InvalidEvents { .. } | Self::InvalidEnvelope(_) => "invalid_events",
            Self::InvalidFields(_) => "invalid_fields",
            Self::Expired { .. } => "expired",
            Self::QueueFull | Self::NotConfirmed { is_full: true, .. } => "queue_full",
            Self::QueueUnavailable | Self::NotConfirmed { .. } => "queue_unavailable",
            Self::DeadLettersUnavailable => "dead_letters_unavailable",
            Self::Overloaded | Self::UnsentFull => "overloaded",
            Self::Stopping => "stopping",
            Self::TooManyQueries { .. } => "too_many_questions",
            Self::TooManyReaders { .. } => "too_many_readers",
            Self::RateLimited(_) => "rate_limited",
            Self::TooManyAtOnce { .. } => "too_many_requests_at_once",
            Self::TooManyChanges { .. } => "too_many_changes",
            Self::TooManyUnknownKeys => "too_many_unknown_keys",
            Self::LiveFull { .. } => "live_full",
            Self::DatabaseBusy(_) => "database_busy",
            Self::DatabaseUnavailable(_) => "database_unavailable",
            Self::TooSlow(_) => "too_slow",
            Self::Internal(_) => "internal_error",
        }
    }

    /// Seconds for the header `Retry-After`.
    fn retry_after_secs(&self) -> Option<u32> {
        match self {
            Self::OfAnother(error) => error.retry_after_secs(),
            Self::RateLimited(limited) => Some(limited.retry_after_secs()),
            // Somebody else's change of a day ago makes room at some time.
            Self::TooManyChanges { .. } => Some(600),
            Self::QueueFull | Self::NotConfirmed { is_full: true, .. } | Self::TooManyReaders { .. } | Self::LiveFull { .. } => {
                Some(10)
            }
            Self::QueueUnavailable
            | Self::DeadLettersUnavailable
            | Self::NotConfirmed { .. }
            | Self::Overloaded
            | Self::UnsentFull
            | Self::Stopping
            | Self::TooManyQueries { .. }
            | Self::TooManyAtOnce { .. }
            | Self::TooManyUnknownKeys
            | Self::DatabaseBusy(_)
            | Self::DatabaseUnavailable(_) => Some(1),
            _ => None,
        }
    }

    fn body(&self) -> ProblemDetails<'_> {
        if let Self::OfAnother(error) = self {
            return error.body();
        }
        let mut body = ProblemDetails::new(self.status(), self.code(), self.to_string());
        match self {
            Self::NotConfirmed { idempotency_key, .. } => body.idempotency_key = Some(idempotency_key),
            Self::BodyTooLarge { limit } => body.limit_bytes = Some(*limit),
            Self::TooManyEvents { limit } => body.limit_events = Some(*limit),
            Self::RateLimited(limited) => {
                body.limit = Some(limited.limit.name());
                body.limit_per_second = Some(limited.per_second.get());
            }
            Self::Parameters(problems) | Self::InvalidFields(problems) => body.errors = Some(problems),
            Self::InvalidEnvelope(problem) => body.errors = Some(std::slice::from_ref(problem)),
            Self::Expired { kept_from, problem, .. } => {
                body.errors = Some(std::slice::from_ref(problem));
                body.kept_from = Some(*kept_from);
            }
            Self::InvalidEvents { events, problems } => {
                body.invalid_events = Some(*events);
                body.errors = Some(problems);
            }
            _ => {}
        }
        body
    }

    /// The error as JSON, for protocols that report errors inside of a response. It is logged like a response.
    pub(crate) fn into_details(self) -> serde_json::Value {
        self.log();
        serde_json::json!(self.body())
    }

    fn log(&self) {
        match self {
            Self::OfAnother(error) => error.log(),
            Self::Internal(source) => tracing::error!(error = source.as_ref(), "request failed on our side"),
            Self::DatabaseUnavailable(source) | Self::DatabaseBusy(source) | Self::TooSlow(source) => {
                tracing::warn!(error = source as &dyn std::error::Error, code = self.code(), "request failed at the database");
            }
            // Anybody can cause this, and there is a metric of it.
            Self::LiveFull { .. } => tracing::debug!(code = self.code(), "request refused"),
            // The client cannot mend this, so the operator must find the request.
            _ if self.status().is_server_error() => tracing::warn!(code = self.code(), "request not served"),
            _ => tracing::debug!(code = self.code(), "request refused"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.status(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_secs() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if matches!(self, Self::Unauthorized) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
