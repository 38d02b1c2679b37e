//! The query string of an address.

use axum::extract::Query;
use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;
use crate::problem::Problem;

/// The names and values in the query string of an address, in the order in which they were sent.
///
/// # Errors
/// [`ApiError::Parameters`] if the query string as such cannot be read.
pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    // The parser would replace what is not UTF-8, and another value would be looked for.
    if percent_decode_str(uri.query().unwrap_or_default()).decode_utf8().is_err() {
        return Err(invalid("the query string is not UTF-8"));
    }
    let pairs = Query::try_from_uri(uri).map_err(|error| invalid(&error.body_text()))?;
    Ok(pairs.0)
}

fn invalid(message: &str) -> ApiError {
    ApiError::Parameters(vec![Problem::of_parameter("", "invalid_query", message)])
}
