//! Traces: log lines name the request, and those of a worker the trace, that they are about.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rollcall_tests::{App, AppOptions, KEY, Poison, event, wait_until};
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

#[tokio::test(flavor = "multi_thread")]
async fn the_api_logs_a_request_that_it_could_not_serve_under_the_id_of_its_answer() {
    let app = App::start_without_workers(vec![]).await;
    let (mut api, url) = app.process_with("api", &[("PUBLISH_DEADLINE_MS", "500")]);
    api.start();
    app.wait_until_ready(&url).await;
    kill(Pid::from_raw(i32::try_from(app.nats.pid()).unwrap()), Signal::SIGSTOP).unwrap();
    let one = json!([event("e", "u", "t", "2026-03-01T10:00:00Z")]);
    let response = app.http.post(format!("{url}/events")).header("X-API-Key", KEY).json(&one).send().await.unwrap();
    kill(Pid::from_raw(i32::try_from(app.nats.pid()).unwrap()), Signal::SIGCONT).unwrap();
    assert_eq!(response.status(), 503);
    let request_id = response.headers()["x-request-id"].to_str().unwrap();
    let log = api.log();
    let line = log.lines().find(|line| line.contains("request not served")).unwrap_or_default();
    assert!(line.contains(request_id) && line.contains("queue_unavailable"), "{request_id} is not in the log:\n{log}");
}
