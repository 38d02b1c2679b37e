//! PostgreSQL goes away under load: events are taken on, nothing is counted against them.

use rollcall_tests::{App, AppOptions, event, eventually};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_outage_are_accepted_wait_and_are_stored_after_it() {
    let mut app = App::start_with(AppOptions { own_postgres: true, workers: 2, ..AppOptions::default() }).await;
    app.send(&json!([event("before", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.drained().await;

    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    for n in 0..200 {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
    let (status, answer) = app.get("/health/ready").await;
    assert_eq!(
        (status, &answer["status"], &answer["dependencies"]["postgres"]),
        (200, &json!("degraded"), &json!("down")),
        "{answer}"
    );
    let (status, answer) = app.get("/stats/dau").await;
    assert_eq!((status, &answer["code"]), (503, &json!("database_unavailable")), "{answer}");
    let (status, answer) = app.get("/pipeline").await;
    assert_eq!((status, &answer["dependencies"]["postgres"]), (200, &json!("down")), "{answer}");
    assert_eq!(
        answer["stream"]["messages"].as_u64().unwrap(),
        answer["consumers"][0]["in_flight"].as_u64().unwrap() + answer["consumers"][0]["pending"].as_u64().unwrap()
    );
    let worker = &app.worker_urls[0];
    let reasons = eventually("the worker tells what it waits for", async || {
        let answer = app.http.get(format!("{worker}/health/ready")).send().await.unwrap();
        (answer.status() == 503).then_some(())?;
        let answer: Value = answer.json().await.unwrap();
        Some(answer["reasons"].clone())
    })
    .await;
    assert_eq!(reasons, json!(["PostgreSQL does not answer"]));

    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.restart()).unwrap();
    app.drained().await;
    assert_eq!(app.stored().await, 201);
    let troubled: i64 = sqlx::query_scalar("select count(*) from troubled_messages").fetch_one(&app.pool).await.unwrap();
    assert_eq!(troubled, 0, "an outage is nobody's fault");
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
    app.ready().await;
}
