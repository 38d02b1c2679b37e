//! Problems: why a request was refused, and what is wrong with each event or parameter.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails<'e> {
    /// A name for the kind of problem, made of the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    /// What is wrong, for people.
    detail: String,
    /// The same as `detail`.
    message: String,
    /// What is wrong with each event or parameter, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) errors: Option<&'e [Problem]>,
    /// How many events of the batch are not valid, also those past the first 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invalid_events: Option<usize>,
    /// Most bytes of a body after decompression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_bytes: Option<usize>,
    /// Most events of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_events: Option<usize>,
    /// The `Idempotency-Key` with which the batch can be sent again without storing an event twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<&'e str>,
}

impl ProblemDetails<'_> {
    /// A problem without further fields.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: String) -> Self {
        Self {
            kind: format!("urn:rollcall:problem:{code}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code,
            message: detail.clone(),
            detail,
            errors: None,
            invalid_events: None,
            limit_bytes: None,
            limit_events: None,
            idempotency_key: None,
        }
    }
}

/// One thing that is wrong with an event or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvalidField)]
pub(crate) struct Problem {
    /// The event; absent for parameters.
    #[serde(flatten)]
    #[schema(value_type = EventPlace)]
    pub(crate) event: Option<EventPlace>,
    /// The field as the client named it, with the path inside it.
    pub(crate) field: String,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

/// Which event of a batch has a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EventPlace {
    /// Its place in the batch, from 0.
    #[schema(required = false)]
    pub(crate) index: usize,
    /// Its id, if it could be read.
    pub(crate) event_id: Option<String>,
}

impl Problem {
    /// A problem with something that belongs to no event.
    pub(crate) fn of_parameter(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { event: None, field: clipped(field).into_owned(), code, message: message.into() }
    }
}

/// Longest name or path that an answer repeats, in characters: as long as any that could be right.
pub(crate) const MAX_REPEATED_CHARACTERS: usize = 200;

/// A text that a client chose, cut to a length that an answer can repeat.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_REPEATED_CHARACTERS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
