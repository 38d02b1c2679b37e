//! The values of a breakdown: each different text gets a number.

use std::collections::HashMap;

use crate::error::ApiError;
use crate::parameters::Param;
use crate::problem::Problem;

/// Maximum number of different values, and maximum size of their texts in bytes. A property with more values
/// identifies single events rather than kinds of events.
pub(super) const MAX_VALUES: usize = 100_000;
const MAX_BYTES: usize = 16 << 20;

/// Number of values with a separate line in an answer. `api/sql/trends/events.sql` contains the same number.
pub(super) const MAX_NAMED: usize = 20;
/// The name for all other values together.
pub(super) const OTHER: &str = "other";

/// The values and their numbers. Number 0 means no value.
#[derive(Debug, Default)]
pub(super) struct Values {
    numbers: HashMap<String, usize>,
    bytes: usize,
}

impl Values {
    /// The number of a value.
    ///
    /// # Errors
    /// [`ApiError::Parameters`], about `param`, if there are too many.
    pub(super) fn number_of(&mut self, value: Option<&str>, param: Param) -> Result<usize, ApiError> {
        let Some(value) = value else { return Ok(0) };
        if let Some(number) = self.numbers.get(value) {
            return Ok(*number);
        }
        self.bytes += value.len();
        if self.numbers.len() == MAX_VALUES || self.bytes > MAX_BYTES {
            return Err(too_many(param));
        }
        let number = self.numbers.len() + 1;
        self.numbers.insert(value.to_owned(), number);
        Ok(number)
    }

    /// The values, each at the index of its number.
    pub(super) fn into_texts(self) -> Vec<Option<String>> {
        let mut texts = vec![None; self.numbers.len() + 1];
        for (text, number) in self.numbers {
            texts[number] = Some(text);
        }
        texts
    }
}

/// The error for a property that has too many values.
fn too_many(param: Param) -> ApiError {
    refused(param, format!("has more than {MAX_VALUES} different values in this period, or very long ones"))
}

/// The error for a property whose values are too many for that many event types and intervals.
pub(super) fn too_many_for_each(param: Param) -> ApiError {
    refused(
        param,
        "has too many values for so many event types and intervals; ask for fewer types, longer intervals or a shorter period",
    )
}

fn refused(param: Param, message: impl Into<String>) -> ApiError {
    ApiError::Parameters(vec![Problem::of_parameter(param.name(), "too_many_values", message)])
}
