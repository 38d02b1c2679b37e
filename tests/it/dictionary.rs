//! Dictionaries: numbers are taken by new names alone, and an end of them is no event's fault.

use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, event, metric, wait_until};
use rollcall_worker::bulk::{Lines, Loader};
use serde_json::json;

/// One event of this number and type, as it travels.
fn line(number: u32, event_type: &str) -> Lines {
    let line = format!(
        r#"{{"id":"e{number}","type":"{event_type}","user":"u{number}","occurred_us":1760000000000000,"received_us":0,"properties":{{}}}}"#
    );
    Lines::new(ProjectId::DEFAULT, (line + "\n").into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn known_event_types_take_no_numbers() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    // Each loader knows nothing at first, as a worker that was just started.
    for number in 0..5 {
        Loader::new(app.pool.clone()).store(&line(number, "known")).await.unwrap();
    }
    Loader::new(app.pool.clone()).store(&line(5, "new")).await.unwrap();
    let ids: Vec<i32> = sqlx::query_scalar("select id from event_types order by id").fetch_all(&app.pool).await.unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[1], ids[0] + 1, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_for_numbers_that_have_run_out_and_none_becomes_a_dead_letter() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.send(&json!([event("first", "u", "known", "2026-03-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    sqlx::raw_sql("update projects set next_event_type_id = 2147483647").execute(&app.pool).await.unwrap();
    app.send(&json!([event("second", "u", "new", "2026-03-01T10:00:00Z")])).await;
    wait_until("it waits", async || (metric(&url, "rollcall_store_retries_total").await? >= 2.0).then_some(())).await;
    let known = json!([event("third", "u", "known", "2026-03-01T10:00:00Z")]);
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=30000", &[], known.to_string()).await;
    assert_eq!((status, &answer["inserted"]), (200, &json!(1)), "{answer}");
    sqlx::raw_sql("update projects set next_event_type_id = 100").execute(&app.pool).await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 3);
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_whose_types_have_the_same_numbers_keep_them_apart() {
    let app = App::start().await;
    app.add_key("other", "other-key", &["ingest"]).await;
    app.send(&json!([event("1", "u", "ours", "2025-10-01T10:00:00Z")])).await;
    let theirs = json!([event("1", "u", "theirs", "2025-10-01T10:00:00Z")]).to_string();
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "other-key");
    let sent = request.header("Content-Type", "application/json").body(theirs).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    app.wait_until_stored().await;
    let same: i64 = sqlx::query_scalar("select count(*) from event_types group by id").fetch_one(&app.pool).await.unwrap();
    assert_eq!(same, 2, "both have the same number");
    // Each answer comes from the rollups and from the rows, which must agree.
    let top = app.ask("/stats/top-events?from=2025-10-01&to=2025-10-01").await;
    assert_eq!(top, json!({"data": [{"event_type": "ours", "count": 1}]}));
    for (event_type, users) in [("ours", 1), ("theirs", 0)] {
        let dau = app.ask(&format!("/stats/dau?from=2025-10-01&to=2025-10-01&event_type={event_type}")).await;
        assert_eq!(dau["data"][0]["unique_users"], users, "{event_type}");
        let retention = format!("/stats/retention?start_date=2025-10-01&window_type=day&event_type={event_type}");
        assert_eq!(app.ask(&retention).await["data"][0]["users_count"], users, "{event_type}");
    }
}
