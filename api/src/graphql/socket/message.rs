//! The messages of the protocol `graphql-transport-ws`, and the codes with which it closes a connection.
//!
//! See <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.

use std::borrow::Cow;

use async_graphql::{Response, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::auth;
use crate::error::ApiError;
use crate::graphql::request::SentRequest;

/// Messages of clients.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: Json,
    },
    Ping,
    Pong,
    Subscribe {
        id: String,
        payload: SentRequest,
    },
    Complete {
        id: String,
    },
}

/// Messages to clients.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong,
    Next {
        id: &'a str,
        payload: &'a Response,
    },
    /// The operation was not run, and has ended.
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    /// The operation has ended.
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    pub(super) fn text(&self) -> String {
        // All fields can be written as JSON, so this does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The code and reason with which a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Closing {
    pub(super) const STOPPING: Self = Self::new(1001, "this replica is stopping; another will take the connection");
    pub(super) const IDLE: Self = Self::new(1000, "nothing was asked for minutes");
    pub(super) const SILENT: Self = Self::new(1001, "no sign of life from the client");
    pub(super) const INVALID: Self = Self::new(4400, "not a message of graphql-transport-ws");
    pub(super) const NOT_ACKNOWLEDGED: Self = Self::new(4401, "Unauthorized");
    pub(super) const KEY_ENDED: Self = Self::new(4403, "the key has ended");
    pub(super) const NOT_INITIALISED: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const DISPLACED: Self = Self::new(1013, "too many clients that have not sent connection_init");
    pub(super) const TOO_MANY_INITIALISATIONS: Self = Self::new(4429, "Too many initialisation requests");
    pub(super) const TOO_MANY_OPERATIONS: Self = Self::new(4429, "too many operations at once on this connection");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// Two operations have the same id.
    pub(super) fn duplicate(id: &str) -> Self {
        let shown: String = id.chars().take(20).collect();
        Self { code: 4409, reason: format!("Subscriber for {shown} already exists").into() }
    }

    /// The key was refused, or could not be looked up.
    pub(super) fn refused(error: &ApiError) -> Self {
        let code = match error {
            ApiError::Unauthorized | ApiError::Forbidden(_) => 4403,
            // After this code, clients try again.
            _ => 1013,
        };
        Self { code, reason: error.to_string().into() }
    }
}

/// The key in a payload, named as in the headers of a request.
pub(super) fn key(payload: &Json) -> Option<&str> {
    let named = |name: &str| {
        let found = payload.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str())
    };
    named("x-api-key").or_else(|| named("authorization").and_then(auth::bearer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_found_under_the_names_of_the_headers() {
        for (payload, found) in [
            (json!({"X-API-Key": "k"}), Some("k")),
            (json!({"x-api-key": "k", "Authorization": "Bearer other"}), Some("k")),
            (json!({"authorization": "bearer k"}), Some("k")),
            (json!({"Authorization": "Basic k"}), None),
            (json!({"X-API-Key": 1}), None),
            (json!(null), None),
            (json!([]), None),
        ] {
            assert_eq!(key(&payload), found, "{payload}");
        }
    }
}
