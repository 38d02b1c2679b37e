//! Sending events: shapes, names, encodings, identity.

use rollcall_tests::App;
use serde_json::{Value, json};

/// Everything stored, one JSON object a row, ordered by id.
async fn rows(app: &App) -> Vec<Value> {
    app.drained().await;
    let statement = "select json_build_object(
            'id', coalesce(client_event_id, event_id::text), 'type', t.name, 'user', user_id, 'anonymous', anonymous_id,
            'session', session_id, 'account', account_id, 'properties', properties)
        from events e join event_types t on t.id = e.event_type_id order by coalesce(client_event_id, event_id::text)";
    let rows: Vec<sqlx::types::JsonValue> = sqlx::query_scalar(statement).fetch_all(&app.pool).await.unwrap();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_sample_requests_are_accepted_and_stored() {
    let app = App::start().await;
    for body in [
        r#"{"events":[{"event_id":"7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11","occurred_at":"2025-10-01T10:00:00Z","user_id":42,"event_type":"login","properties":{}}]}"#,
        r#"{"userId":"12345","eventType":"bet","jsonDetails":{"ip":"192.168.1.1","device":"Chrome"}}"#,
        r#"{"event_type":"page_view","user_id":"123","payload":{"page":"/home","referrer":"google.com"}}"#,
        r#"{"events":[{"event_id":"evt_001","account_id":"acc_123","user_id":"user_456","type":"message_sent","timestamp":"2026-02-01T10:30:00.000Z","metadata":{"channel":"email"}}]}"#,
        r#"{"session_id":"user-123","payload":{"action":"login","user":"demo"}}"#,
    ] {
        let (status, answer) = app.post("/events", &[], body).await;
        assert_eq!(status, 202, "{body}: {answer}");
        assert_eq!(answer["events_count"], 1);
    }
    app.drained().await;
    assert_eq!(app.stored().await, 5);
}
