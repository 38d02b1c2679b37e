//! When a new key expires.

use jiff::Timestamp;

use crate::admin::caller::Caller;
use crate::admin::fields::Fields;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::rfc3339;

const FIELD: &str = "expires_at";

/// Reads `expires_at`: `None` if it is absent, and `Some(None)` for a key that does not expire.
pub(super) fn take(fields: &mut Fields) -> Option<Option<Timestamp>> {
    if !fields.has(FIELD) {
        return None;
    }
    let Some(text) = fields.text(FIELD) else { return Some(None) };
    let end = rfc3339::instant_us(&text).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    match end {
        None => fields.problem(FIELD, "invalid", "must be an instant such as 2030-01-01T00:00:00Z, or null"),
        Some(end) if end <= Timestamp::now() => fields.problem(FIELD, "in_the_past", "must be in the future"),
        Some(_) => {}
    }
    Some(end)
}

/// Checks that a new key does not outlive the one of the request. Otherwise a key that is given to somebody for a
/// day could get one that is valid for ever, by making it or by rotating another.
///
/// # Errors
/// [`ApiError::InvalidFields`].
pub(super) fn check(expires_at: Option<Timestamp>, caller: &Caller) -> Result<(), ApiError> {
    match caller.expires_at() {
        Some(last) if expires_at.is_none_or(|end| end > last) => {
            let message = format!("must not be after {last}, when the key of this request expires");
            Err(ApiError::InvalidFields(vec![Problem::of_parameter(FIELD, "too_late", message)]))
        }
        _ => Ok(()),
    }
}
