//! Services that start while their servers are away: they answer, and do what they can.

use rollcall_stack::{NatsServer, Postgres};
use rollcall_tests::{App, AppOptions, KEY, Process, event, wait_until};
use serde_json::{Value, json};
use sqlx::migrate::Migrate as _;

/// Servers of the test's own, and a service that begins without one of them.
async fn app(variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::start_with(AppOptions { own_postgres: true, workers: 0, variables }).await
}

async fn get(app: &App, url: &str) -> Option<(u16, Value)> {
    let response = app.http.get(url).header("X-API-Key", KEY).send().await.ok()?;
    Some((response.status().as_u16(), response.json().await.ok()?))
}

/// Status, `Retry-After` and code of the answer to an event.
async fn send(app: &App, url: &str, key: &str) -> (u16, Option<String>, Value) {
    let body = event("a", "ada", "t", "2026-03-01T10:00:00Z");
    let response = app.http.post(format!("{url}/events")).header("X-API-Key", key).json(&body).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry_after, response.json::<Value>().await.unwrap()["code"].take())
}

async fn wait_until_alive(app: &App, url: &str) {
    let live = async || get(app, &format!("{url}/health/live")).await;
    assert_eq!(wait_until("it is alive", live).await, (200, json!({"status": "healthy"})));
}

async fn restart_postgres(postgres: &mut Option<Postgres>) {
    let postgres = postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.restart()).unwrap();
}

async fn restart_nats(nats: &mut NatsServer) {
    tokio::task::block_in_place(|| nats.restart()).unwrap();
}

/// Asks a process to stop and starts it again.
async fn stop_and_start(process: &mut Process) {
    assert_eq!(process.stop().await, Ok(()));
    process.start();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_starts_without_postgresql_accepts_events() {
    let mut app = app(&[]).await;
    tokio::task::block_in_place(|| app.postgres.as_mut().unwrap().kill());
    let (mut api, url) = app.process("api");
    api.start();
    wait_until_alive(&app, &url).await;
    let degraded = json!({"status": "degraded", "dependencies": {"postgres": "down", "nats": "up"},
                          "reasons": ["PostgreSQL does not answer: queries cannot be answered"]});
    let ready = async || get(&app, &format!("{url}/health/ready")).await.filter(|(status, _)| *status == 200);
    assert_eq!(wait_until("it is in service", ready).await.1, degraded);
    assert_eq!(send(&app, &url, KEY).await, (202, None, Value::Null));
    assert_eq!(send(&app, &url, "unknown").await, (503, Some("1".to_owned()), json!("database_unavailable")));
    let answer = get(&app, &format!("{url}/stats/dau")).await.unwrap();
    assert_eq!((answer.0, &answer.1["code"]), (503, &json!("database_unavailable")));
    let (status, answer) = get(&app, &format!("{url}/pipeline")).await.unwrap();
    assert_eq!((status, &answer["stream"]["messages"]), (200, &json!(1)));

    stop_and_start(&mut api).await;
    wait_until_alive(&app, &url).await;
    restart_postgres(&mut app.postgres).await;
    app.wait_until_ready(&url).await;
    assert_eq!(get(&app, &format!("{url}/stats/dau")).await.unwrap().0, 200);
    assert_eq!(send(&app, &url, "unknown").await.0, 401);
    assert_eq!(api.stop().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_starts_without_a_schema_accepts_events() {
    let app = app(&[]).await;
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&app.pool).await.unwrap();
    let (mut api, url) = app.process("api");
    api.start();
    let ready = async || get(&app, &format!("{url}/health/ready")).await.filter(|(status, _)| *status == 200);
    let answer = wait_until("it is in service", ready).await.1;
    assert_eq!(answer["reasons"], json!(["the schema is not up to date yet: queries cannot be answered"]));
    assert_eq!(send(&app, &url, KEY).await, (202, None, Value::Null));
    assert_eq!(send(&app, &url, "unknown").await, (503, Some("1".to_owned()), json!("database_unavailable")));
    rollcall_shared::database::migrate(&app.pool).await.unwrap();
    app.wait_until_ready(&url).await;
    assert_eq!(get(&app, &format!("{url}/stats/dau")).await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_starts_without_nats_says_so_and_connects_by_itself() {
    let mut app = app(&[("PUBLISH_DEADLINE_MS", "500")]).await;
    app.nats.kill();
    let (mut api, url) = app.process("api");
    api.start();
    wait_until_alive(&app, &url).await;
    let not_ready = json!({"status": "not ready", "dependencies": {"postgres": "up", "nats": "down"},
                           "reasons": ["there is no connection to nats-server"]});
    let has_schema = async || get(&app, &format!("{url}/health/ready")).await.filter(|answer| answer.1 == not_ready);
    assert_eq!(wait_until("only NATS is missing", has_schema).await.0, 503);
    assert_eq!(send(&app, &url, KEY).await, (503, Some("1".to_owned()), json!("queue_unavailable")));
    assert_eq!(get(&app, &format!("{url}/stats/dau")).await.unwrap().0, 200);

    stop_and_start(&mut api).await;
    wait_until_alive(&app, &url).await;
    restart_nats(&mut app.nats).await;
    app.wait_until_ready(&url).await;
    assert_eq!(send(&app, &url, KEY).await.0, 202);
    assert_eq!(api.stop().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_without_its_servers_says_so_and_begins_by_itself() {
    let mut app = app(&[]).await;
    app.send(&event("a", "ada", "t", "2026-03-01T10:00:00Z")).await;
    tokio::task::block_in_place(|| app.postgres.as_mut().unwrap().kill());
    app.nats.kill();
    let (mut worker, url) = app.process("worker");
    worker.start();
    wait_until_alive(&app, &url).await;
    let answer = get(&app, &format!("{url}/health/ready")).await.unwrap();
    let reasons = ["PostgreSQL does not answer", "there is no connection to nats-server"];
    assert_eq!((answer.0, &answer.1["reasons"]), (503, &json!(reasons)));

    stop_and_start(&mut worker).await;
    wait_until_alive(&app, &url).await;
    restart_postgres(&mut app.postgres).await;
    restart_nats(&mut app.nats).await;
    app.wait_until_ready(&url).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    assert_eq!(worker.stop().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_the_migration_of_another_replica_longer_than_statements_may() {
    let app = app(&[]).await;
    let mut other = app.pool.acquire().await.unwrap();
    other.lock().await.unwrap();
    let settings = [("MIGRATE_ON_START", "true"), ("DATABASE_LOCK_TIMEOUT_MS", "100"), ("DATABASE_STATEMENT_TIMEOUT_MS", "200")];
    let (mut worker, url) = app.process_with("worker", &settings);
    worker.start();
    wait_until("it waits for long", async || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'advisory' and clock_timestamp() - query_start > interval '500 ms'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    other.unlock().await.unwrap();
    app.wait_until_ready(&url).await;
    assert_eq!(worker.stop().await, Ok(()));
}
