//! The header fields `RateLimit-Policy` and `RateLimit` of an answer.
//!
//! They are lists of structured fields (RFC 9651), as the draft draft-ietf-httpapi-ratelimit-headers-10 defines
//! them: a policy has a quota `q` of the unit `qu` in a window of `w` seconds; of it, `r` is left, and it is whole
//! again in `t` seconds. In a refusal, `t` is the time to wait, like `Retry-After`.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::Content;
use super::limit::{Limit, whole_secs};
use super::rate::Rate;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// One bucket as a client is told about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) limit: Limit,
    pub(super) rate: Rate,
    pub(super) content: Content,
    /// How long to wait, if this limit refused the request.
    pub(super) wait: Option<Duration>,
}

/// Adds the fields, unless no limit applies.
pub(super) fn add(headers: &mut HeaderMap, readings: &[Reading]) {
    if readings.is_empty() {
        return;
    }
    let (mut policy, mut state) = (String::new(), String::new());
    for reading in readings {
        let Reading { limit, rate, content, wait } = reading;
        let (comma, name) = (if policy.is_empty() { "" } else { ", " }, limit.name());
        let unit = limit.unit().map_or_else(String::new, |unit| format!(";qu=\"{unit}\""));
        let (quota, window) = (rate.burst, whole_secs(rate.window()));
        // Writing to a string does not fail.
        let _ = write!(policy, "{comma}\"{name}\";q={quota}{unit};w={window}");
        let _ = write!(state, "{comma}\"{name}\";r={};t={}", content.left, whole_secs(wait.unwrap_or(content.full_in)));
    }
    for (name, value) in [(POLICY, policy), (STATE, state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn the_fields_are_lists_of_policies_with_their_states() {
        let reading = |limit, per_second, left, full_in_ms, wait_ms: Option<u64>| Reading {
            limit,
            rate: Rate::new(NonZeroU32::new(per_second).unwrap(), 1, 1),
            content: Content { left, full_in: Duration::from_millis(full_in_ms) },
            wait: wait_ms.map(Duration::from_millis),
        };
        let mut headers = HeaderMap::new();
        add(&mut headers, &[]);
        assert!(headers.is_empty());
        let requests = reading(Limit::KeyRequests, 50, 49, 20, None);
        add(&mut headers, &[requests, reading(Limit::ProjectEvents, 5_000, 100, 60_000, Some(2_500))]);
        assert_eq!(headers["ratelimit-policy"], "\"key-requests\";q=50;w=1, \"project-events\";q=5000;qu=\"events\";w=1");
        assert_eq!(headers["ratelimit"], "\"key-requests\";r=49;t=1, \"project-events\";r=100;t=3");
    }
}
