//! Extractors: request parts as types that handlers can trust.

use std::borrow::Cow;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use jiff::civil::Date;

use crate::error::ApiError;
use crate::problem::Problem;
use crate::rfc3339;

/// Problems listed of one query string: more than any request has parameters.
const MAX_PROBLEMS: usize = 20;

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
        // A path that is not UTF-8 matches nothing.
        let path = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::NotFound)?;
        Ok(Self(path.0))
    }
}

/// The query string, parsed one parameter at a time.
///
/// Every getter records what is wrong and returns the default; [`Parameters::finish`] then refuses
/// the request with all recorded problems, and for every parameter that no getter took: a misspelt
/// filter that was ignored would give a wrong number that looks right.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    /// The names of those that were taken.
    sent_names: Vec<&'static str>,
    problems: Vec<Problem>,
}

/// A parameter as it was sent.
struct Sent {
    name: &'static str,
    value: String,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

impl Parameters {
    /// The parameters of an address.
    ///
    /// # Errors
    /// Only if the query string as such cannot be read.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| ApiError::Parameters(vec![Problem::of_parameter("", "invalid_query", error.body_text())]))?;
        Ok(Self { pairs: query.0, sent_names: Vec::new(), problems: Vec::new() })
    }

    /// The value of a parameter under any of its names; sending it twice, or empty, is a problem.
    pub(crate) fn text(&mut self, names: &[&'static str]) -> Option<String> {
        self.sent(names).map(|sent| sent.value)
    }

    /// A parameter that can be parsed.
    pub(crate) fn parsed<T: FromStr>(&mut self, names: &[&'static str], expected: &str) -> Option<T> {
        let sent = self.sent(names)?;
        let parsed = sent.value.parse().ok();
        if parsed.is_none() {
            self.problem(sent.name, "invalid", format!("must be {expected}"));
        }
        parsed
    }

    /// A date of the years 1 to 9999.
    pub(crate) fn date(&mut self, names: &[&'static str]) -> Option<Date> {
        let sent = self.sent(names)?;
        let date = rfc3339::date(&sent.value).filter(|date| date.year() >= 1);
        if date.is_none() {
            self.problem(sent.name, "invalid", "must be a date such as 2025-10-01");
        }
        date
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

    /// What the client sent under one of the names, if anything.
    fn sent(&mut self, names: &[&'static str]) -> Option<Sent> {
        let mut found: Option<Sent> = None;
        for name in names {
            let (mine, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(sent, _)| sent == name);
            self.pairs = rest;
            let mine: Vec<(String, String)> = mine;
            for (_, value) in mine {
                if let Some(first) = &found {
                    let message = if first.name == *name {
                        "must be sent once".into()
                    } else {
                        format!("is another name of {}; send one of them", first.name)
                    };
                    self.problem(name, "repeated", message);
                }
                found = Some(Sent { name, value });
            }
        }
        let sent = found?;
        self.sent_names.push(sent.name);
        if sent.value.is_empty() {
            self.problem(sent.name, "empty", "must not be empty; leave it out instead");
            return None;
        }
        if sent.value.contains('\0') {
            self.problem(sent.name, "invalid_text", "contains a NUL character");
            return None;
        }
        Some(sent)
    }

    /// The one of these names under which the client sent the parameter; the first if it did not.
    pub(crate) fn name_of(&self, names: &[&'static str]) -> &'static str {
        names.iter().find(|name| self.sent_names.contains(name)).copied().unwrap_or(names[0])
    }

    /// `true` or `false`; false when absent.
    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.parsed(&[name], "true or false").unwrap_or(false)
    }

    /// Whether something is wrong with a parameter of these names already.
    pub(crate) fn has_problem(&self, names: &[&'static str]) -> bool {
        self.problems.iter().any(|problem| names.contains(&problem.field.as_str()))
    }

    /// Records a problem, up to a limit.
    pub(crate) fn problem<'m>(&mut self, field: &str, code: &'static str, message: impl Into<Cow<'m, str>>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::of_parameter(field, code, message.into()));
        }
    }

    /// Ends the parsing.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] if a problem was recorded or a parameter is unknown.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.problem(&name, "unknown", "this request takes no such parameter");
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Parameters(self.problems)) }
    }
}
