//! Metrics: there from the start, so that they can be watched before anything has happened.

use rollcall_tests::{App, AppOptions};

/// What the API's `/metrics` says before the first batch, in a process of its own: metrics are one for
/// a process, and other tests count in this one.
async fn text_of_a_new_api() -> String {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_has_done_nothing_counts_from_zero() {
    let text = text_of_a_new_api().await;
    let of_ingest = r#"{method="POST",route="/events",status="503"}"#;
    for (name, series) in [
        ("rollcall_http_requests_total", of_ingest),
        ("rollcall_http_request_duration_seconds", r#"_count{method="POST",route="/events"}"#),
        ("rollcall_connections_displaced_total", ""),
        ("rollcall_connections_refused_total", ""),
        ("rollcall_received_bytes_total", ""),
        ("rollcall_events_accepted_total", ""),
        ("rollcall_events_rejected_total", ""),
        ("rollcall_request_batch_events", "_count"),
        ("rollcall_chunks_published_total", ""),
        ("rollcall_bulk_chunks_published_total", ""),
        ("rollcall_published_bytes_total", ""),
        ("rollcall_publish_duration_seconds", "_count"),
        ("rollcall_limited_requests_total", r#"{limit="key-requests"}"#),
        ("rollcall_limited_requests_total", r#"{limit="project-events"}"#),
        ("rollcall_limited_requests_total", r#"{limit="requests-at-once"}"#),
        ("rollcall_limited_requests_total", r#"{limit="unknown-keys"}"#),
        ("rollcall_limited_events_total", r#"{limit="key-events"}"#),
        ("rollcall_schema_violations_total", r#"{mode="warn"}"#),
        ("rollcall_schema_violations_total", r#"{mode="reject"}"#),
        ("rollcall_live_readers", ""),
        ("rollcall_live_missed_events_total", ""),
    ] {
        assert!(text.contains(&format!("\n{name}{series} 0\n")), "{name}{series} does not begin with zero:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_api_is_described() {
    let text = text_of_a_new_api().await;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let undescribed: Vec<_> = names.filter(|name| !text.contains(&format!("# HELP {name} "))).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
}
