//! Schemas of event types, set and looked at over HTTP.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{App, wait_until};

/// A text as a part of a path: every byte that is not a letter or a digit becomes `%` and two digits.
#[must_use]
pub fn path_part(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() {
            path.push(byte.into());
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

impl App {
    /// Sets a schema of the project `default`.
    ///
    /// # Panics
    /// Unless it is set.
    pub async fn set_schema(&self, event_type: &str, mode: &str, schema: &Value) -> Value {
        let path = format!("/admin/schemas/{}", path_part(event_type));
        let (status, answer) = self.admin(Method::PUT, &path, &json!({"mode": mode, "schema": schema})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until a schema has this many violations, and returns it as lists show it.
    ///
    /// # Panics
    /// If it has not in time.
    pub async fn wait_until_violations_are(&self, event_type: &str, count: u64) -> Value {
        wait_until(&format!("{event_type} has {count} violations"), async || {
            let (_, listed) = self.get("/admin/schemas").await;
            let schemas = listed["data"].as_array()?;
            schemas.iter().find(|schema| schema["event_type"] == event_type && schema["violations"] == count).cloned()
        })
        .await
    }
}
