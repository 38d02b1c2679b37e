//! Dictionaries: numbers are taken by new names alone, and an end of them is no event's fault.

use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, event, eventually, metric};
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
    app.drained().await;
    sqlx::raw_sql("update projects set next_event_type_id = 2147483647").execute(&app.pool).await.unwrap();
    app.send(&json!([event("second", "u", "new", "2026-03-01T10:00:00Z")])).await;
    eventually("it waits", async || (metric(&url, "rollcall_store_retries_total").await? >= 2.0).then_some(())).await;
    let known = json!([event("third", "u", "known", "2026-03-01T10:00:00Z")]);
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=30000", &[], known.to_string()).await;
    assert_eq!((status, &answer["inserted"]), (200, &json!(1)), "{answer}");
    sqlx::raw_sql("update projects set next_event_type_id = 100").execute(&app.pool).await.unwrap();
    app.drained().await;
    assert_eq!(app.stored().await, 3);
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}
