//! Sending events: shapes, names, and what is kept of them.

use rollcall_tests::App;
use serde_json::{Value, json};

/// Everything stored, one JSON object a row, ordered by id.
async fn rows(app: &App) -> Vec<Value> {
    app.wait_until_stored().await;
    let statement = "select json_build_object(
            'id', coalesce(client_event_id, event_id::text), 'type', t.name, 'user', user_id, 'anonymous', anonymous_id,
            'session', session_id, 'account', account_id, 'at', occurred_at at time zone 'UTC', 'properties', properties)
        from events e join event_types t on t.id = e.event_type_id order by coalesce(client_event_id, event_id::text)";
    sqlx::query_scalar(statement).fetch_all(&app.pool).await.unwrap()
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
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_names_the_batch_and_its_events() {
    let app = App::start().await;
    let mut answer = app.send(&json!([{"event_id": "a", "event_type": "t", "user_id": 1}])).await;
    let batch_id = answer["batch_id"].take();
    assert_eq!(batch_id.as_str().unwrap().len(), 36);
    assert_eq!(
        answer,
        json!({"status": "accepted", "message": "Events queued for processing", "events_count": 1, "batch_id": null,
               "event_id": "a", "event_ids": ["a"]})
    );
    let many: Vec<_> = (0..101).map(|n| json!({"event_type": "t", "user_id": n})).collect();
    let answer = app.send(&json!({ "events": many })).await;
    assert_eq!((&answer["events_count"], &answer["event_ids"]), (&json!(101), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_of_a_field_means_that_field() {
    let app = App::start().await;
    let names: [(&str, &[&str], Value); 8] = [
        ("id", &["event_id", "eventId", "messageId", "uuid", "insert_id", "$insert_id"], json!("x")),
        ("type", &["event_type", "eventType", "event", "event_name", "type"], json!("x")),
        ("user", &["user_id", "userId", "distinct_id"], json!("x")),
        ("anonymous", &["anonymous_id", "anonymousId"], json!("x")),
        ("session", &["session_id", "sessionId"], json!("x")),
        ("account", &["account_id", "accountId"], json!("x")),
        ("at", &["occurred_at", "timestamp", "time", "ts"], json!(1_759_312_800)),
        ("properties", &["properties", "payload", "metadata", "jsonDetails"], json!({"x": 1})),
    ];
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    for (place, (column, aliases, value)) in names.iter().enumerate() {
        for (number, alias) in aliases.iter().enumerate() {
            let id = format!("{place}-{number}");
            let mut event = json!({"event_id": id, "event_type": "t", "user_id": "u", "occurred_at": 0});
            let own = ["event_id", "event_type", "user_id", "-", "-", "-", "occurred_at", "-"][place];
            event.as_object_mut().unwrap().remove(own);
            let value = if *column == "id" { json!(id) } else { value.clone() };
            event[*alias] = value.clone();
            sent.push(event);
            let mut row = json!({"id": id, "type": "t", "user": "u", "anonymous": null, "session": null, "account": null,
                                 "at": "1970-01-01T00:00:00", "properties": {}});
            row[*column] = if *column == "at" { json!("2025-10-01T10:00:00") } else { value };
            expected.push(row);
        }
    }
    app.send(&json!(sent)).await;
    assert_eq!(rows(&app).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_kept_in_properties_unless_the_name_is_taken() {
    let app = App::start().await;
    app.send(&json!([
        {"event_id": "a", "event_type": "t", "user_id": 1, "plan": "free", "tags": [1, {"b": "}"}], "properties": {"plan": "paid", "n": {}}},
        {"event_id": "b", "event_type": "t", "user_id": 1, "plan": null},
    ]))
    .await;
    let properties: Vec<_> = rows(&app).await.into_iter().map(|row| row["properties"].clone()).collect();
    assert_eq!(properties, [json!({"plan": "paid", "n": {}, "tags": [1, {"b": "}"}]}), json!({"plan": null})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn integer_ids_keep_every_digit() {
    let app = App::start().await;
    let body = r#"[{"event_id":"a","event_type":"t","user_id":9007199254740993,"account_id":-12,"session_id":123456789012345678901234567890}]"#;
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    let row = &rows(&app).await[0];
    assert_eq!(
        (&row["user"], &row["account"], &row["session"]),
        (&json!("9007199254740993"), &json!("-12"), &json!("123456789012345678901234567890"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_kept_byte_for_byte_but_for_line_breaks() {
    let app = App::start().await;
    let body = "{\"event_type\":\"t\",\"user_id\":1,\"properties\":{\n  \"n\": 1.50e3,\r\n \"n\": \"\\u00e9\\n\"}}";
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    app.wait_until_stored().await;
    let stored: String = sqlx::query_scalar("select properties::text from events").fetch_one(&app.pool).await.unwrap();
    assert_eq!(stored, "{   \"n\": 1.50e3,   \"n\": \"\\u00e9\\n\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_stands_in_for_a_missing_type() {
    let app = App::start().await;
    app.send(&json!({"event_id": "a", "session_id": "s", "payload": {"action": "login"}})).await;
    assert_eq!(rows(&app).await[0]["type"], "login");
}
