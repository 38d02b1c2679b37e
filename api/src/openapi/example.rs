//! Examples: values with which a reader can try every request of the description without changes.
//!
//! They refer to a history of a few events, which is the example of `POST /events`. A test
//! (`tests/it/openapi.rs`) sends this history and then every other request with its examples, and compares
//! the answers with the description.

use serde_json::{Value, json};

/// The values of parameters by name. A parameter has the same meaning in all requests.
const PARAMETERS: &[(&str, &str)] = &[
    ("account_id", "acc_1"),
    ("event_id", "evt_001"),
    ("event_type", "login"),
    ("from", "2025-10-01"),
    ("id", "1"),
    ("name", "login"),
    ("session_id", "s-1"),
    ("start_date", "2025-09-29"),
    ("to", "2025-10-07"),
    ("user_id", "ada"),
];

/// Optional parameters that have an example: a period, so that answers are not empty, and a dry run, so that
/// trying changes nothing.
const SHOWN: &[&str] = &["from", "to", "dry_run"];

/// The answers of operations to their examples.
const ANSWERS: &[(&str, &str)] = &[
    (
        "active_users",
        r#"{"data":[{"date":"2025-10-01","unique_users":1},{"date":"2025-10-02","unique_users":2},
        {"date":"2025-10-03","unique_users":0},{"date":"2025-10-04","unique_users":0},{"date":"2025-10-05","unique_users":0},
        {"date":"2025-10-06","unique_users":0},{"date":"2025-10-07","unique_users":1}],"granularity":"day"}"#,
    ),
    ("top_events", r#"{"data":[{"event_type":"login","count":3},{"event_type":"signup","count":1}]}"#),
    (
        "retention",
        r#"{"data":[{"cohort_date":"2025-09-29","users_count":2,"retention_windows":[50.0,0.0,0.0],"retained_users":[1,0,0],
        "complete":[true,true,true]}],"window_type":"week"}"#,
    ),
];

/// The example of a parameter.
pub(super) fn of_parameter(name: &str, is_required: bool) -> Option<Value> {
    if !is_required && !SHOWN.contains(&name) {
        return None;
    }
    match name {
        "dry_run" => return Some(json!(true)),
        "steps" => return Some(json!(["signup", "login"])),
        _ => {}
    }
    PARAMETERS.iter().find(|(known, _)| *known == name).map(|(_, value)| json!(value))
}

/// The answer of the operation with this id to its examples.
pub(crate) fn of_answer(operation: &str) -> Option<Value> {
    let (_, answer) = ANSWERS.iter().find(|(id, _)| *id == operation)?;
    serde_json::from_str(answer).ok()
}

/// The history, as the body of one request.
pub(crate) fn history() -> Value {
    let event = |id: &str, event_type: &str, user: &str, session: &str, at: &str, properties: Value| {
        json!({
            "event_id": id, "event_type": event_type, "user_id": user, "session_id": session, "account_id": "acc_1",
            "occurred_at": at, "properties": properties,
        })
    };
    json!({ "events": [
        event("evt_001", "signup", "ada", "s-1", "2025-10-01T10:00:00Z", json!({ "plan": "pro" })),
        event("evt_002", "login", "ada", "s-2", "2025-10-02T09:30:00Z", json!({ "device": "phone" })),
        event("evt_003", "login", "grace", "s-3", "2025-10-02T11:00:00Z", json!({ "device": "laptop" })),
        event("evt_004", "login", "ada", "s-4", "2025-10-07T08:15:00+02:00", json!({ "device": "phone" })),
    ] })
}
