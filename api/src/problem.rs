//! Problems: why a request was refused, and what is wrong with each event or parameter.

use std::borrow::Cow;

use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails<'e> {
    /// A URN for the kind of problem, which contains the code.
    #[serde(rename = "type")]
    kind: String,
    /// The reason phrase of the status.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// A stable code for programs.
    code: &'static str,
    /// A description for people.
    detail: String,
    /// The same as `detail`.
    message: String,
    /// What is wrong with each event or parameter, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) errors: Option<&'e [Problem]>,
    /// The number of invalid events in the batch, including those after the first 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invalid_events: Option<usize>,
    /// The maximum number of bytes of a body after decompression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_bytes: Option<usize>,
    /// The maximum number of events in a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_events: Option<usize>,
    /// The limit that the request exceeds: `key-requests`, `project-requests`, `key-events` or `project-events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<&'static str>,
    /// The number of requests or events in a second that this limit allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_per_second: Option<u32>,
    /// The first day that can be asked about, in the time zone of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept_from: Option<Date>,
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
            limit: None,
            limit_per_second: None,
            kept_from: None,
            idempotency_key: None,
        }
    }
}

/// One problem of an event or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvalidField)]
pub(crate) struct Problem {
    /// The event that has the problem; absent for parameters.
    #[serde(flatten)]
    #[schema(value_type = EventPlace)]
    pub(crate) event: Option<EventPlace>,
    /// The field as the client named it, with the path inside it.
    pub(crate) field: String,
    /// A stable code for programs.
    pub(crate) code: &'static str,
    /// A message for people.
    pub(crate) message: String,
}

/// Which event of a batch has a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EventPlace {
    /// Its index in the batch, counted from 0.
    #[schema(required = false)]
    pub(crate) index: usize,
    /// Its id, if it could be read.
    pub(crate) event_id: Option<String>,
}

impl Problem {
    /// A problem of a parameter, or of a field of a body, which belongs to no event.
    pub(crate) fn of_parameter(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { event: None, field: clipped(field).into_owned(), code, message: message.into() }
    }
}

/// Longest name or path that an answer repeats, in characters. No valid name or path is longer.
pub(crate) const MAX_REPEATED_CHARACTERS: usize = 200;

/// A client's text, cut to the length that an answer may repeat.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_REPEATED_CHARACTERS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// A text for people on one line, cut in the same way.
pub(crate) fn one_line(text: &str) -> String {
    clipped(&text.replace(char::is_control, " ")).into_owned()
}
