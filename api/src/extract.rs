//! Extractors: request parts as types that handlers can trust.

use std::borrow::Cow;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use jiff::civil::Date;

use crate::error::{ApiError, Problem};

/// The id of this request, for log lines and messages; see [`crate::router`].
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("the request has no id"))
    }
}

/// The one part of the path that varies.
#[derive(Debug, Clone)]
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Bytes that are no text name nothing.
        let path = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::NotFound)?;
        Ok(Self(path.0))
    }
}

/// The query string, taken apart one parameter at a time.
///
/// Every getter notes what is wrong and hands out the default; [`Parameters::finish`] then refuses
/// the request with all of it, and with every parameter that nobody asked for: a misspelt filter
/// that is passed over in silence gives a wrong number that looks right.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    problems: Vec<Problem>,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::Parameters(vec![Problem::of_parameter("", "invalid_query", error.body_text())]))?;
        Ok(Self { pairs: query.0, problems: Vec::new() })
    }
}

impl Parameters {
    /// The value of a parameter under any of its names; sending it twice is a problem.
    pub(crate) fn text(&mut self, names: &[&'static str]) -> Option<String> {
        let mut found: Option<(String, String)> = None;
        let (mine, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(name, _)| names.contains(&name.as_str()));
        self.pairs = rest;
        let mine: Vec<(String, String)> = mine;
        for (name, value) in mine {
            if found.is_some() {
                self.problem(&name, "repeated", "must be sent once");
            }
            found = Some((name, value));
        }
        let (name, value) = found.filter(|(_, value)| !value.is_empty())?;
        if value.contains('\0') {
            self.problem(&name, "invalid_text", "must not hold a NUL, which no text can");
            return None;
        }
        Some(value)
    }

    /// A parameter that can be parsed.
    pub(crate) fn parsed<T: FromStr>(&mut self, names: &[&'static str], expected: &str) -> Option<T> {
        let text = self.text(names)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(names[0], "invalid", format!("must be {expected}"));
        }
        parsed
    }

    /// A date of the years 1 to 9999.
    pub(crate) fn date(&mut self, names: &[&'static str]) -> Option<Date> {
        let expected = "a date such as 2025-10-01";
        let date = self.parsed::<Date>(names, expected)?;
        if date.year() >= 1 {
            return Some(date);
        }
        self.problem(names[0], "invalid", format!("must be {expected}"));
        None
    }

    /// A whole number within a range, or its default.
    pub(crate) fn number(&mut self, name: &'static str, default: u32, range: std::ops::RangeInclusive<u32>) -> u32 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.parsed(&[name], &expected).unwrap_or(default);
        if range.contains(&number) {
            return number;
        }
        self.problem(name, "out_of_range", format!("must be {expected}"));
        default
    }

    /// `true` or `false`; false when absent.
    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.parsed(&[name], "true or false").unwrap_or(false)
    }

    /// Whether something is wrong with this field already.
    pub(crate) fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    /// Notes something that is wrong.
    pub(crate) fn problem<'m>(&mut self, field: &str, code: &'static str, message: impl Into<Cow<'m, str>>) {
        self.problems.push(Problem::of_parameter(field, code, message.into()));
    }

    /// Ends the taking apart.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.problem(&name, "unknown", "this request takes no such parameter");
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Parameters(self.problems)) }
    }
}
