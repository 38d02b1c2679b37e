//! Values of a property by which an answer is broken down: each text once, and a number for it.

use std::collections::HashMap;

use crate::error::ApiError;
use crate::parameters::Param;
use crate::problem::Problem;

/// Different values, and the bytes of their texts. A property with more of them describes single events
/// rather than kinds of them.
pub(super) const MAX_VALUES: usize = 100_000;
const MAX_BYTES: usize = 16 << 20;

/// Values that have a line of their own in an answer. A statement says the same.
pub(super) const MAX_NAMED: usize = 20;
/// The name of all others together.
pub(super) const OTHER: &str = "other";

/// The values that were met, and their numbers. Number 0 is no value.
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

    /// The values, each at the place of its number.
    pub(super) fn into_texts(self) -> Vec<Option<String>> {
        let mut texts = vec![None; self.numbers.len() + 1];
        for (text, number) in self.numbers {
            texts[number] = Some(text);
        }
        texts
    }
}

/// The error for a property that has too many values.
pub(super) fn too_many(param: Param) -> ApiError {
    let message = format!("has more than {MAX_VALUES} different values in this period, or very long ones");
    ApiError::Parameters(vec![Problem::of_parameter(param.name(), "too_many_values", message)])
}
