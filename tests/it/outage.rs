//! PostgreSQL goes away under load: events are taken on, nothing is counted against them.

use rollcall_tests::{App, AppOptions, event, wait_until};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_outage_are_accepted_wait_and_are_stored_after_it() {
    let mut app = App::start_with(AppOptions { own_postgres: true, workers: 2, ..AppOptions::default() }).await;
    app.add_key("default", "known", &["ingest"]).await;
    let (http, url) = (app.http.clone(), format!("{}/events", app.url));
    let send = async |key: &str, id: &str| {
        let request = http.post(&url).header("X-API-Key", key);
        request.json(&event(id, "u", "t", "2026-03-01T10:00:00Z")).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send("known", "before").await, 202);
    app.wait_until_stored().await;

    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    assert_eq!(send("known", "by a key of the database").await, 202);
    for n in 0..200 {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
    let missing = wait_until("the API misses PostgreSQL", async || {
        let (status, answer) = app.get("/health/ready").await;
        (answer["dependencies"]["postgres"] == "down").then_some((status, answer["status"].clone()))
    })
    .await;
    assert_eq!(missing, (200, json!("degraded")));
    let (status, answer) = app.get("/stats/dau").await;
    let message = "the database does not answer at the moment; try again";
    let problem = json!({"type": "urn:rollcall:problem:database_unavailable", "title": "Service Unavailable", "status": 503,
                         "detail": message, "code": "database_unavailable", "message": message});
    assert_eq!((status, answer), (503, problem), "and nothing of what the database said");
    let (status, answer) = app.get("/pipeline").await;
    assert_eq!((status, &answer["dependencies"]["postgres"]), (200, &json!("down")), "{answer}");
    assert_eq!(
        answer["stream"]["messages"].as_u64().unwrap(),
        answer["consumers"][0]["in_flight"].as_u64().unwrap() + answer["consumers"][0]["pending"].as_u64().unwrap()
    );
    let worker = &app.worker_urls[0];
    let reasons = wait_until("the worker tells what it waits for", async || {
        let answer = app.http.get(format!("{worker}/health/ready")).send().await.unwrap();
        (answer.status() == 503).then_some(())?;
        let answer: Value = answer.json().await.unwrap();
        Some(answer["reasons"].clone())
    })
    .await;
    assert_eq!(reasons, json!(["PostgreSQL does not answer"]));

    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.restart()).unwrap();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 202);
    let troubled: i64 = sqlx::query_scalar("select count(*) from troubled_messages").fetch_one(&app.pool).await.unwrap();
    assert_eq!(troubled, 0, "an outage is nobody's fault");
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
    app.wait_until_all_ready().await;
    let said = wait_until("the workers report again", async || {
        let (_, answer) = app.get("/pipeline").await;
        answer["last_error"]["message"].as_str().map(str::to_owned)
    })
    .await;
    assert!(
        ["PostgreSQL does not answer", "PostgreSQL answers with SQLSTATE"].iter().any(|begin| said.starts_with(begin)),
        "{said}"
    );
}
