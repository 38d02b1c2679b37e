//! Messages as the API publishes them, a dead letter as a worker writes it, and what became of them.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Stream;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rollcall_shared::queue::stream::{DLQ_STREAM, STREAM};
use rollcall_tests::{App, KEY, Poison, event, wait_until};
use serde_json::{Map, Value, json};

pub(crate) async fn capture() -> Value {
    let app = App::start_without_workers(Vec::new()).await;
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("X-Request-Id", "request-1")];
    let (status, answer) = app.post("/events", &trace, json!(events()).to_string()).await;
    assert_eq!(status, 202, "{answer}");
    // It names an inbox, in which nobody waits any more when the message is read.
    let waits = event("waits", "ada", "login", "2026-03-03T10:00:00Z");
    assert_eq!(app.post("/events?wait=stored&timeout_ms=1", &[], waits.to_string()).await.0, 202);
    let no_allowance = [("BULK_BURST_EVENTS", "0"), ("BULK_EVENTS_PER_SECOND", "0")];
    let (mut api, url) = app.process_with("api", &no_allowance);
    api.start();
    app.wait_until_ready(&url).await;
    let bulk = event("bulk", "bob", "login", "2026-03-04T10:00:00Z");
    let sent = app.http.post(format!("{url}/events")).header("X-API-Key", KEY).json(&bulk).send().await.expect("an answer");
    assert_eq!(sent.status(), 202);

    let jetstream = app.jetstream().await;
    let accepted = messages(&jetstream.get_stream(STREAM).await.expect("a stream"), 3).await;
    let (mut worker, worker_url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&worker_url).await;
    app.wait_until_stored().await;
    let (_, stored) = app.get("/events?from=1970-01-01&to=2100-01-01&order=asc").await;
    Poison::lay(&app.pool).await;
    app.send(&Poison::in_event(event("refused", "eve", "login", "2026-03-05T10:00:00Z"))).await;
    let dead_letter = wait_until("there is a dead letter", async || {
        let (_, mut letters) = app.get("/admin/dead-letters").await;
        letters["data"].get_mut(0).map(Value::take)
    })
    .await;
    let letters = messages(&jetstream.get_stream(DLQ_STREAM).await.expect("a stream"), 1).await;
    json!({ "accepted": accepted, "stored": stored["data"], "letters": letters, "dead_letter": dead_letter })
}

/// Everything that an event may have, and as little as it may have.
fn events() -> Vec<Value> {
    let full = json!({
        "event_id": "7B0E4A52-6A0F-4C43-9D0B-1F3F5F0F7A11", "event_type": "größer \"quoted\" \\ 😀", "user_id": 42, "anonymous_id": "device",
        "session_id": "visit", "account_id": "acme", "occurred_at": "2026-03-01T10:00:00.123456+02:00",
        "properties": {"plan": "pro", "nested": {"list": [1, 1e300, null, true]}, "text": "\u{1}\n", "ü": "é"},
    });
    let least = json!({"event_id": "least", "event_type": "t", "session_id": "s", "occurred_at": 0});
    let undated = json!({"event_id": "undated", "event_type": "t", "anonymous_id": "a"});
    let nameless = json!({"event_type": "t", "user_id": "u", "occurred_at": "2026-03-02T10:00:00Z"});
    vec![full, least, undated, nameless]
}

/// The messages of a stream.
async fn messages(stream: &Stream, count: u64) -> Vec<Value> {
    let mut messages = Vec::new();
    for sequence in 1..=count {
        let message = stream.direct_get(sequence).await.expect("a message");
        let payload = BASE64_STANDARD.encode(&message.payload);
        messages.push(json!({ "subject": message.subject.as_str(), "headers": headers(&message.headers), "payload": payload }));
    }
    messages
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    // What begins like this is the server's, about where the message was.
    let own = headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-"));
    own.map(|(name, values)| (name.to_string(), json!(values[0].as_str()))).collect()
}
