//! The parameters of a request: its query string and the variable parts of its path.
//!
//! `param` declares one parameter, [`Parameters`] reads them, `query_string` finds them in an address, and
//! `description` says what is read.

mod day_or_instant;
mod description;
mod param;
mod query_string;

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use jiff::civil::Date;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use strum::VariantNames;

use self::day_or_instant::DayOrInstant;
pub(crate) use self::description::Described;
use self::description::Descriptions;
pub(crate) use self::param::Param;
use crate::error::ApiError;
use crate::extract::PathParts;
use crate::problem::Problem;
use crate::rfc3339;

/// Maximum number of listed problems, more than any request has parameters.
const MAX_PROBLEMS: usize = 20;
/// Maximum number of values of a parameter that may be repeated.
const MAX_REPEATS: usize = 10;

/// The parameters of a request, read one at a time.
///
/// Every getter records problems and returns the default. [`Parameters::finish`] then refuses the request if
/// there are problems, or parameters that no getter has read: if a misspelt filter were ignored, the answer
/// would be a wrong number that looks right.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    /// The names of the parameters that were read.
    sent_names: Vec<&'static str>,
    problems: Vec<Problem>,
    /// The parameters that getters look for, if they are to be described.
    descriptions: Option<Descriptions>,
}

/// A parameter of the request.
struct Sent {
    name: &'static str,
    value: String,
}

/// The parameters of the query string.
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
        Ok(Self::of_pairs(query_string::pairs(uri)?))
    }

    /// Parameters that do not come from an address, such as the arguments of a tool.
    pub(crate) fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, sent_names: Vec::new(), problems: Vec::new(), descriptions: None }
    }

    /// Adds the variable parts of the path.
    pub(crate) fn with_path(mut self, path: PathParts) -> Self {
        self.pairs.extend(path.0);
        self
    }

    /// The descriptions of the parameters that `take` reads.
    pub(crate) fn describe<T>(take: impl FnOnce(&mut Self) -> T) -> Vec<Described> {
        let mut parameters = Self { descriptions: Some(Descriptions::default()), ..Self::of_pairs(Vec::new()) };
        take(&mut parameters);
        parameters.descriptions.unwrap_or_default().into_vec()
    }

    /// A fingerprint of the question and its parameters, without the page and the format.
    pub(crate) fn fingerprint(&self, question: &str) -> [u8; 32] {
        let mut pairs: Vec<_> =
            self.pairs.iter().filter(|(name, _)| !matches!(name.as_str(), "cursor" | "limit" | "format")).collect();
        // The order of the values of one name can mean something, as it does for the steps of a funnel.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut hash = Sha256::new();
        for text in std::iter::once(question).chain(pairs.iter().flat_map(|(name, value)| [name.as_str(), value])) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    /// The value of a parameter. An empty value, or more than one, is a problem.
    pub(crate) fn text(&mut self, param: Param) -> Option<String> {
        self.note(param, description::text);
        self.sent(param).map(|sent| sent.value)
    }

    /// A required text.
    pub(crate) fn required_text(&mut self, param: Param) -> String {
        let text = self.text(param);
        self.require(param, text.is_some());
        text.unwrap_or_default()
    }

    /// The values of a parameter that may be repeated up to ten times.
    pub(crate) fn repeated(&mut self, param: Param) -> Vec<String> {
        self.note(param, || json!({ "type": "array", "items": description::text(), "maxItems": MAX_REPEATS }));
        let mut values = Vec::new();
        for name in param.names {
            for value in self.take_all(name) {
                self.sent_names.push(name);
                values.extend(self.checked(name, value));
            }
        }
        if values.len() > MAX_REPEATS {
            self.problem(self.name_of(param), "out_of_range", format!("may be sent at most {MAX_REPEATS} times"));
            values.clear();
        }
        values
    }

    /// A parameter that can be parsed, described by the JSON schema `schema`.
    pub(crate) fn parsed<T: FromStr>(&mut self, param: Param, expected: &str, schema: impl FnOnce() -> Value) -> Option<T> {
        self.note(param, schema);
        self.parse(param, expected)
    }

    /// One of the names of an enum; `default` when absent.
    pub(crate) fn one_of<T: FromStr + VariantNames + Display>(&mut self, param: Param, default: T) -> T {
        self.note(param, || json!({ "type": "string", "enum": T::VARIANTS, "default": default.to_string() }));
        self.parse(param, &alternatives(T::VARIANTS)).unwrap_or(default)
    }

    /// One of the names of an enum, or `None` when absent.
    pub(crate) fn optional_one_of<T: FromStr + VariantNames>(&mut self, param: Param) -> Option<T> {
        self.note(param, || json!({ "type": "string", "enum": T::VARIANTS }));
        self.parse(param, &alternatives(T::VARIANTS))
    }

    /// A date of the years 1 to 9999.
    pub(crate) fn date(&mut self, param: Param) -> Option<Date> {
        self.note(param, description::date);
        let sent = self.sent(param)?;
        let date = rfc3339::date(&sent.value).filter(|date| date.year() >= 1);
        if date.is_none() {
            self.problem(sent.name, "invalid", "must be a date such as 2025-10-01");
        }
        date
    }

    /// A date, or an instant in RFC 3339.
    pub(crate) fn day_or_instant(&mut self, param: Param) -> Option<DayOrInstant> {
        self.note(param, || json!({ "type": "string", "examples": ["2025-10-01", "2025-10-01T10:00:00Z"] }));
        let sent = self.sent(param)?;
        let day = rfc3339::date(&sent.value).filter(|date| date.year() >= 1).map(DayOrInstant::Day);
        let found = day.or_else(|| rfc3339::instant_us(&sent.value).ok().map(DayOrInstant::InstantUs));
        if found.is_none() {
            self.problem(sent.name, "invalid", "must be a date such as 2025-10-01 or an instant such as 2025-10-01T10:00:00Z");
        }
        found
    }

    /// A whole number within a range, or its default.
    pub(crate) fn number(&mut self, param: Param, default: u32, range: RangeInclusive<u32>) -> u32 {
        let (minimum, maximum) = (*range.start(), *range.end());
        self.note(param, || json!({ "type": "integer", "minimum": minimum, "maximum": maximum, "default": default }));
        let expected = format!("a whole number from {minimum} to {maximum}");
        let number = self.parse(param, &expected).unwrap_or(default);
        if range.contains(&number) {
            return number;
        }
        self.problem(self.name_of(param), "out_of_range", format!("must be {expected}"));
        default
    }

    /// `true` or `false`; false when absent.
    pub(crate) fn flag(&mut self, param: Param) -> bool {
        self.note(param, || json!({ "type": "boolean", "default": false }));
        self.parse(param, "true or false").unwrap_or(false)
    }

    /// Marks a parameter as required. If it is absent, that is a problem.
    pub(crate) fn require(&mut self, param: Param, is_sent: bool) {
        if let Some(descriptions) = &mut self.descriptions {
            descriptions.require(param);
        }
        if !is_sent && !self.has_problem(param) {
            self.problem(param.name(), "required", format!("is required: {}", lower_first(param.about.trim_end_matches('.'))));
        }
    }

    /// The name under which the client sent the parameter; the first if it did not.
    pub(crate) fn name_of(&self, param: Param) -> &'static str {
        param.names.iter().find(|name| self.sent_names.contains(name)).copied().unwrap_or(param.name())
    }

    /// Whether a problem of a parameter has been recorded.
    pub(crate) fn has_problem(&self, param: Param) -> bool {
        self.problems.iter().any(|problem| param.names.contains(&problem.field.as_str()))
    }

    /// Records a problem, up to a limit.
    pub(crate) fn problem<'m>(&mut self, field: &str, code: &'static str, message: impl Into<Cow<'m, str>>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::of_parameter(field, code, message.into()));
        }
    }

    /// Checks that all parameters were read and valid.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] if a problem was recorded or a parameter is unknown.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.problem(&name, "unknown", "this request takes no such parameter");
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Parameters(self.problems)) }
    }

    fn note(&mut self, param: Param, schema: impl FnOnce() -> Value) {
        if let Some(descriptions) = &mut self.descriptions {
            descriptions.note(param, schema());
        }
    }

    fn parse<T: FromStr>(&mut self, param: Param, expected: &str) -> Option<T> {
        let sent = self.sent(param)?;
        let parsed = sent.value.parse().ok();
        if parsed.is_none() {
            self.problem(sent.name, "invalid", format!("must be {expected}"));
        }
        parsed
    }

    /// The value that the client sent under one of the names, if any.
    fn sent(&mut self, param: Param) -> Option<Sent> {
        let mut found: Option<Sent> = None;
        for name in param.names {
            for value in self.take_all(name) {
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
        let value = self.checked(sent.name, sent.value)?;
        Some(Sent { value, ..sent })
    }

    /// Removes every value of this name, in the order in which they were sent.
    fn take_all(&mut self, name: &str) -> Vec<String> {
        self.pairs.extract_if(.., |(sent, _)| sent == name).map(|(_, value)| value).collect()
    }

    /// The value, unless it is one that no parameter may have.
    fn checked(&mut self, name: &str, value: String) -> Option<String> {
        if value.is_empty() {
            self.problem(name, "empty", "must not be empty; leave it out instead");
            return None;
        }
        if value.contains('\0') {
            self.problem(name, "invalid_text", "contains a NUL character");
            return None;
        }
        Some(value)
    }
}

/// `day, week or month`.
fn alternatives(names: &[&str]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
