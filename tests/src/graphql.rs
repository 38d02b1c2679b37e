//! A client of `POST /graphql`.

use serde_json::{Value, json};

use crate::{App, AppOptions, event};

/// An API whose project has four events.
///
/// # Panics
/// If they cannot be sent.
pub async fn graphql_history(variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let with = |id, user, event_type, at, more: Value| {
        let mut event = event(id, user, event_type, at);
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event
    };
    let body = json!([
        with("1", "ada/1", "login", "2025-10-01T10:00:00Z", json!({"session_id": "s 1", "properties": {"plan": "pro", "n": 2}})),
        with("2", "ada/1", "buy", "2025-10-02T10:00:00Z", json!({"session_id": "s 1", "account_id": "acc"})),
        with("3", "bob", "login", "2025-10-03T10:00:00.25Z", json!({"account_id": "acc", "properties": {"plan": "pro", "n": 1}})),
    ]);
    app.send(&body).await;
    // Numbers that not every reader keeps.
    app.post("/events", &[], r#"{"event_id":"4","anonymous_id":"x","event_type":"big","occurred_at":"2025-10-04T10:00:00Z","properties":{"n":12345678901234567890123.50,"a_b":[1.0]}}"#).await;
    app.wait_until_stored().await;
    app
}

impl App {
    /// The answer to a query.
    ///
    /// # Panics
    /// If the status is another than 200.
    pub async fn query(&self, text: &str, variables: Value) -> Value {
        let body = json!({ "query": text, "variables": variables }).to_string();
        let (status, answer) = self.post("/graphql", &[], body).await;
        assert_eq!(status, 200, "{text}: {answer}");
        answer
    }

    /// What a query without errors is answered with.
    ///
    /// # Panics
    /// If there is an error.
    pub async fn query_data(&self, text: &str) -> Value {
        let mut answer = self.query(text, json!({})).await;
        assert_eq!(answer["errors"], Value::Null, "{text}: {answer}");
        answer["data"].take()
    }

    /// The code and the message of the first error.
    ///
    /// # Panics
    /// As [`Self::query`].
    pub async fn query_refusal(&self, text: &str) -> (Value, Value) {
        let answer = self.query(text, json!({})).await;
        (answer["errors"][0]["extensions"]["code"].clone(), answer["errors"][0]["message"].clone())
    }
}
