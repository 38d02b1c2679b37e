//! The fields of a body: read one at a time, as the parameters of an address are.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header;
use serde_json::{Map, Value};
use strum::VariantNames;

use crate::error::ApiError;
use crate::problem::Problem;

/// Maximum size of a body in bytes, far more than any request needs that does not say otherwise.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Timeout for the arrival of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of listed problems, more than any request has fields.
const MAX_PROBLEMS: usize = 20;

/// The fields of an object.
///
/// Every getter records problems. [`Fields::finish`] then refuses the body if there are problems, or fields that
/// no getter has read.
#[derive(Debug)]
pub(super) struct Fields {
    sent: Map<String, Value>,
    problems: Vec<Problem>,
    /// The path of the object, with a dot at its end; empty for the body.
    path: String,
}

impl Fields {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`ApiError::Unsupported`], [`ApiError::BodyTimeout`], [`ApiError::BodyTooLarge`], or [`ApiError::Body`] if
    /// it is no JSON object.
    pub(super) async fn of(request: Request) -> Result<Self, ApiError> {
        Self::of_up_to(MAX_BODY_BYTES, request).await
    }

    /// Reads the body of a request, which may have this many bytes.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) async fn of_up_to(limit: usize, request: Request) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
        if !is_json || parts.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(ApiError::Unsupported("send the fields as application/json, without a content encoding".to_owned()));
        }
        let bytes = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit)).await;
        let bytes = bytes.map_err(|_| ApiError::BodyTimeout)?;
        let bytes = bytes.map_err(|_| ApiError::BodyTooLarge { limit })?;
        let sent =
            serde_json::from_slice(&bytes).map_err(|error| ApiError::Body(format!("the body must be a JSON object: {error}")))?;
        Ok(Self::of_object(sent, String::new()))
    }

    fn of_object(sent: Map<String, Value>, path: String) -> Self {
        Self { sent, problems: Vec::new(), path }
    }

    /// Whether a field is there, even as null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sent.contains_key(name)
    }

    /// A text; `None` if it is absent or null.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.sent.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => self.refuse(name, "invalid", "must be a text"),
        }
    }

    /// A required text.
    pub(super) fn required_text(&mut self, name: &str) -> String {
        if self.sent.get(name).is_none_or(Value::is_null) {
            self.problem(name, "required", "is required");
        }
        self.text(name).unwrap_or_default()
    }

    /// A required text that is one of the names of `T`.
    pub(super) fn required_choice<T: FromStr + VariantNames>(&mut self, name: &str) -> Option<T> {
        let text = self.required_text(name);
        let choice = text.parse().ok();
        if choice.is_none() && !self.has_problem(name) {
            self.problem(name, "invalid", &format!("must be one of {}", T::VARIANTS.join(", ")));
        }
        choice
    }

    /// A required object, as it was sent.
    pub(super) fn required_object(&mut self, name: &str) -> Option<Value> {
        match self.sent.remove(name) {
            None | Some(Value::Null) => self.refuse(name, "required", "is required"),
            Some(object @ Value::Object(_)) => Some(object),
            Some(_) => self.refuse(name, "invalid", "must be an object"),
        }
    }

    /// A list of texts; empty if it is absent.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = match self.sent.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(values)) => {
                let texts = values.into_iter().map(|value| if let Value::String(text) = value { Some(text) } else { None });
                texts.collect::<Option<Vec<_>>>()
            }
            Some(_) => None,
        };
        texts.or_else(|| self.refuse(name, "invalid", "must be a list of texts")).unwrap_or_default()
    }

    /// A whole number within a range. `None` if it is absent, and `Some(None)` if it is null.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<i32>) -> Option<Option<i32>> {
        let value = self.sent.remove(name)?;
        if value.is_null() {
            return Some(None);
        }
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok()).filter(|number| range.contains(number));
        let expected = format!("must be a whole number from {} to {}, or null", range.start(), range.end());
        number.or_else(|| self.refuse(name, "out_of_range", &expected)).map(Some)
    }

    /// Reads an object with `read`; `None` if it is absent or null.
    pub(super) fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let sent = match self.sent.remove(name)? {
            Value::Object(sent) => sent,
            Value::Null => return None,
            _ => return self.refuse(name, "invalid", "must be an object"),
        };
        let mut fields = Self::of_object(sent, format!("{}{name}.", self.path));
        let value = read(&mut fields);
        fields.note_unknown();
        self.problems.append(&mut fields.problems);
        Some(value)
    }

    /// Whether a problem of a field has been recorded.
    pub(super) fn has_problem(&self, name: &str) -> bool {
        let path = format!("{}{name}", self.path);
        self.problems.iter().any(|problem| problem.field == path)
    }

    /// Records a problem, up to a limit.
    pub(super) fn problem(&mut self, name: &str, code: &'static str, message: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::of_parameter(&format!("{}{name}", self.path), code, message));
        }
    }

    /// Checks that all fields were read and valid.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] if a problem was recorded or a field is unknown.
    pub(super) fn finish(mut self) -> Result<(), ApiError> {
        self.note_unknown();
        self.problems.truncate(MAX_PROBLEMS);
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::InvalidFields(self.problems)) }
    }

    fn note_unknown(&mut self) {
        for (name, _) in std::mem::take(&mut self.sent) {
            self.problem(&name, "unknown", "this request takes no such field");
        }
    }

    fn refuse<T>(&mut self, name: &str, code: &'static str, message: &str) -> Option<T> {
        self.problem(name, code, message);
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: Value) -> Fields {
        let Value::Object(sent) = body else { panic!("no object: {body}") };
        Fields::of_object(sent, String::new())
    }

    #[test]
    fn null_is_another_thing_than_nothing_for_numbers() {
        let mut fields = fields(json!({"a": null, "b": 7}));
        assert_eq!(
            [fields.number("a", 1..=9), fields.number("b", 1..=9), fields.number("c", 1..=9)],
            [Some(None), Some(Some(7)), None]
        );
        fields.finish().unwrap();
    }

    #[test]
    fn every_wrong_field_is_named_with_its_path() {
        let mut fields = fields(json!({
            "n": 1.5, "big": 4_294_967_297_i64, "t": 1, "list": ["a", 1], "in": {"n": "1", "x": 1}, "not": [], "y": null,
        }));
        for name in ["n", "big"] {
            fields.number(name, 1..=9);
        }
        fields.text("t");
        fields.texts("list");
        fields.object("in", |fields| fields.number("n", 1..=9));
        fields.object("not", |_| ());
        fields.required_text("absent");
        let Err(ApiError::InvalidFields(problems)) = fields.finish() else { panic!("it is valid") };
        let found: Vec<_> = problems.iter().map(|problem| (problem.field.as_str(), problem.code)).collect();
        assert_eq!(
            found,
            [
                ("n", "out_of_range"),
                ("big", "out_of_range"),
                ("t", "invalid"),
                ("list", "invalid"),
                ("in.n", "out_of_range"),
                ("in.x", "unknown"),
                ("not", "invalid"),
                ("absent", "required"),
                ("y", "unknown"),
            ]
        );
    }
}
