//! The name of an event type in a path.

use crate::error::ApiError;
use crate::problem::Problem;

/// Longest name in characters, as of events.
const MAX_CHARACTERS: usize = 200;

/// A name that events may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventType(String);

impl EventType {
    /// Reads a part of a path.
    ///
    /// # Errors
    /// [`ApiError::Parameters`].
    pub(super) fn of_path(name: String) -> Result<Self, ApiError> {
        let refused = |code, message: &str| Err(ApiError::Parameters(vec![Problem::of_parameter("event_type", code, message)]));
        if name.chars().count() > MAX_CHARACTERS || name.is_empty() {
            return refused("wrong_length", "must be 1 to 200 characters");
        }
        if name.contains('\0') {
            return refused("invalid_text", "contains \\u0000");
        }
        Ok(Self(name))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
