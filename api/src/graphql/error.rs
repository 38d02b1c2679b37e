//! Errors: those of the REST API in GraphQL's format.
//!
//! `extensions` contains the fields of the body of a REST error: `code`, and `errors` if arguments are wrong.

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use super::name::camel_case;
use crate::error::ApiError;

/// Fields of a REST error that GraphQL has elsewhere or does not need.
const FRAME: [&str; 5] = ["type", "title", "status", "detail", "message"];

/// Maximum number of errors in one response.
const MAX_ERRORS: usize = 20;

/// The error of a field.
pub(super) fn of_field(error: ApiError) -> async_graphql::Error {
    let (message, extensions) = parts(error);
    async_graphql::Error { message, source: None, extensions: Some(extensions) }
}

/// The response to a request that was refused as a whole.
pub(super) fn response(error: ApiError) -> Response {
    let (message, extensions) = parts(error);
    Response::from_errors(vec![ServerError { extensions: Some(extensions), ..ServerError::new(message, None) }])
}

/// Gives every error a code, hides internal details, and cuts the list of errors.
pub(super) fn with_codes(mut response: Response) -> Response {
    response.errors.truncate(MAX_ERRORS);
    let was_run = response.data != Value::Null;
    for error in response.errors.iter_mut().filter(|error| error.extensions.is_none()) {
        // Once a query is run, only a bug can cause an error without a code.
        let known = if !was_run && error.path.is_empty() {
            ApiError::InvalidQuery(std::mem::take(&mut error.message))
        } else {
            ApiError::internal(std::mem::take(&mut error.message))
        };
        let (message, extensions) = parts(known);
        (error.message, error.extensions) = (message, Some(extensions));
    }
    response
}

fn parts(error: ApiError) -> (String, ErrorExtensionValues) {
    let message = error.to_string();
    let mut extensions = ErrorExtensionValues::default();
    if let serde_json::Value::Object(body) = error.into_details() {
        for (name, mut value) in body.into_iter().filter(|(name, _)| !FRAME.contains(&name.as_str())) {
            for field in value.as_array_mut().into_iter().flatten().filter_map(|problem| problem.get_mut("field")) {
                *field = camel_case(field.as_str().unwrap_or_default()).into();
            }
            extensions.set(name, Value::from_json(value).unwrap_or_default());
        }
    }
    (message, extensions)
}
