//! Traces: log lines of a worker name the request and the trace whose events they are about.

use rollcall_tests::{App, AppOptions, Poison, event, wait_until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_names_the_request_and_the_trace_of_events_that_it_could_not_store() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    Poison::lay(&app.pool).await;
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
    let body = json!([Poison::in_event(event("e", "u", "t", "2026-03-01T10:00:00Z"))]).to_string();
    let (status, answer) = app.post("/events", &[("traceparent", &parent), ("x-request-id", "order-17")], body).await;
    assert_eq!(status, 202, "{answer}");
    let line = wait_until("the worker logs the refusal", async || {
        worker.log().lines().find(|line| line.contains("events were refused")).map(str::to_owned)
    })
    .await;
    for name in [trace_id, "order-17", "messages=1"] {
        assert!(line.contains(name), "{name} is missing: {line}");
    }
}
