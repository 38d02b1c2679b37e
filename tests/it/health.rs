//! Health, metrics, request ids and unknown paths.

use rollcall_tests::{App, AppOptions, KEY};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn api_and_worker_tell_their_health() {
    let app = App::start().await;
    assert_eq!(app.get("/health").await, (200, json!({"status": "healthy"})));
    assert_eq!(app.get("/health/live").await, (200, json!({"status": "healthy"})));
    let ready = json!({"status": "ready", "dependencies": {"postgres": "up", "nats": "up"}});
    assert_eq!(app.get("/health/ready").await, (200, ready.clone()));
    let worker = &app.worker_urls[0];
    let answer: serde_json::Value = app.http.get(format!("{worker}/health/ready")).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_without_its_queue_is_not_ready() {
    let mut app = App::start().await;
    assert_eq!(app.get("/health/ready").await.0, 200);
    app.nats.kill();
    let not_ready = async || {
        let (status, answer) = app.get("/health/ready").await;
        (status == 503).then_some(answer)
    };
    let answer = rollcall_tests::wait_until("the API is not ready", not_ready).await;
    let reasons = ["there is no connection to nats-server"];
    assert_eq!(answer, json!({"status": "not ready", "dependencies": {"postgres": "up", "nats": "down"}, "reasons": reasons}));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_described_and_have_the_prefix() {
    let app = App::start().await;
    app.send(&json!({"event_type": "t", "user_id": 1})).await;
    app.wait_until_stored().await;
    let text = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    for name in [
        "rollcall_http_requests_total",
        "rollcall_http_request_duration_seconds",
        "rollcall_events_accepted_total",
        "rollcall_chunks_published_total",
        "rollcall_publish_duration_seconds",
        "rollcall_events_stored_total",
        "rollcall_store_duration_seconds",
        "rollcall_consumer_lag_messages",
        "rollcall_oldest_unstored_age_seconds",
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    let strangers: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.contains("rollcall_")).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_done_nothing_counts_from_zero() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    let text = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    for (name, label) in [
        ("rollcall_events_stored_total", ""),
        ("rollcall_events_duplicate_total", ""),
        ("rollcall_store_retries_total", ""),
        ("rollcall_messages_refused_total", ""),
        ("rollcall_worker_panics_total", ""),
        ("rollcall_rollup_keys_compacted_total", ""),
        ("rollcall_partition_failures_total", ""),
        ("rollcall_expired_events_total", ""),
        ("rollcall_expired_identities_total", ""),
        ("rollcall_expire_failures_total", ""),
        ("rollcall_archived_events_total", ""),
        ("rollcall_archived_bytes_total", ""),
        ("rollcall_archive_dropped_events_total", ""),
        ("rollcall_archive_failures_total", ""),
        ("rollcall_archive_days_waiting", ""),
        ("rollcall_merged_partitions_total", ""),
        ("rollcall_merge_failures_total", ""),
        ("rollcall_dead_letters_total", "{code=\"kills_worker\"}"),
        ("rollcall_dead_letters_total", "{code=\"refused\"}"),
        ("rollcall_dead_letters_total", "{code=\"expired\"}"),
        ("rollcall_rollup_deltas_folded_total", "{kind=\"active_users\"}"),
        ("rollcall_compaction_failures_total", "{kind=\"event_counts\"}"),
        ("rollcall_time_in_queue_seconds", "_count{priority=\"normal\"}"),
        ("rollcall_time_in_queue_seconds", "_count{priority=\"bulk\"}"),
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
        assert!(text.contains(&format!("\n{name}{label} 0\n")), "{name}{label} does not begin with zero:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_given_back_or_made() {
    let app = App::start().await;
    let ask = async |id: Option<&str>| {
        let mut request = app.http.get(format!("{}/health", app.url));
        if let Some(id) = id {
            request = request.header("X-Request-Id", id);
        }
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask(Some("my-id_1.2")).await, "my-id_1.2");
    assert_eq!(ask(None).await.len(), 36);
    assert_eq!(ask(Some("no spaces, please")).await.len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems_too() {
    let app = App::start().await;
    let (status, answer) = app.get("/nothing").await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
    let response = app.http.delete(format!("{}/events", app.url)).header("X-API-Key", KEY).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], "method_not_allowed");
}
