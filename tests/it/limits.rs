//! The limits of one request, at and just past them.

use rollcall_tests::{App, AppOptions};
use serde_json::json;

const LINE: &str = "{\"event_type\":\"t\",\"user_id\":1}\n";
const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

#[tokio::test(flavor = "multi_thread")]
async fn one_event_too_many_is_refused_with_the_limit() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (status, answer) = app.post("/events", &[NDJSON], LINE.repeat(100_001)).await;
    assert_eq!(
        (status, answer),
        (
            413,
            json!({"type": "urn:rollcall:problem:too_many_events", "title": "Payload Too Large", "status": 413, "code": "too_many_events",
                   "detail": "the batch holds more than 100000 events; send it in parts",
                   "message": "the batch holds more than 100000 events; send it in parts", "limit_events": 100_000})
        )
    );
    assert_eq!(app.post("/events", &[NDJSON], LINE.repeat(100_000)).await.0, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_too_many_is_refused_with_the_limit() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let limit = 64 << 20;
    let mut body = LINE.as_bytes().to_vec();
    body.resize(limit, b'\n');
    assert_eq!(app.post("/events", &[NDJSON], body.clone()).await.0, 202);
    body.push(b'\n');
    let (status, answer) = app.post("/events", &[NDJSON], body).await;
    assert_eq!(
        (status, answer),
        (
            413,
            json!({"type": "urn:rollcall:problem:body_too_large", "title": "Payload Too Large", "status": 413, "code": "body_too_large",
                   "detail": "the body is larger than 67108864 bytes after decompression; send it in parts",
                   "message": "the body is larger than 67108864 bytes after decompression; send it in parts", "limit_bytes": limit})
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_and_not_hidden() {
    let variables = vec![("EVENTS_MAX_BYTES", (1 << 20).to_string())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    // Random properties do not compress, so a few dozen batches fill a megabyte.
    let mut statuses = Vec::new();
    for batch in 0..60 {
        let noise: String = (0..2_000).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
        let body =
            json!({"event_id": batch.to_string(), "event_type": "t", "user_id": 1, "properties": {"noise": noise[..60_000]}});
        statuses.push(app.post("/events", &[], body.to_string()).await.0);
    }
    assert!(statuses.contains(&202) && statuses.last() == Some(&503), "{statuses:?}");
    let response = app
        .http
        .post(format!("{}/events", app.url))
        .header("X-API-Key", rollcall_tests::KEY)
        .header("Content-Type", "application/json")
        .body(json!({"event_type": "t", "user_id": 1, "properties": {"noise": "x".repeat(60_000)}}).to_string())
        .send()
        .await
        .unwrap();
    // One small message may still fit; a refusal says when to come back.
    if response.status() == 503 {
        assert_eq!(response.headers()["retry-after"], "10");
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], "queue_full");
    }
}
