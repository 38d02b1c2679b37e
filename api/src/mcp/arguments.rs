//! Converts the arguments of a call into the parameters of a question.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::problem::Problem;

/// The arguments as pairs of name and text. A list becomes a repeated parameter, and null is the same as
/// leaving the argument out.
///
/// # Errors
/// [`ApiError::Parameters`] if an argument is an object, or a list of lists or objects.
pub(super) fn pairs(arguments: Map<String, Value>) -> Result<Vec<(String, String)>, ApiError> {
    let mut pairs = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in arguments {
        let values = match value {
            Value::Null => Vec::new(),
            Value::Array(values) => values,
            value => vec![value],
        };
        match values.into_iter().map(text).collect::<Option<Vec<_>>>() {
            Some(texts) => pairs.extend(texts.into_iter().map(|text| (name.clone(), text))),
            None => {
                problems.push(Problem::of_parameter(&name, "invalid", "must be a text, a number, true, false or a list of these"))
            }
        }
    }
    if problems.is_empty() { Ok(pairs) } else { Err(ApiError::Parameters(problems)) }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(arguments: Value) -> Result<Vec<(String, String)>, ApiError> {
        pairs(serde_json::from_value(arguments).unwrap())
    }

    #[test]
    fn arguments_become_the_texts_of_parameters() {
        let found = of(json!({"a": "x y", "b": 5, "c": true, "d": null, "e": ["1", 2], "f": []})).unwrap();
        let expected = [("a", "x y"), ("b", "5"), ("c", "true"), ("e", "1"), ("e", "2")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn an_object_is_no_argument_and_is_named() {
        let Err(ApiError::Parameters(problems)) = of(json!({"a": {"x": 1}, "b": [[1]], "c": 1})) else { panic!("refused") };
        assert_eq!(
            problems.iter().map(|problem| (problem.field.as_str(), problem.code)).collect::<Vec<_>>(),
            [("a", "invalid"), ("b", "invalid")]
        );
    }
}
