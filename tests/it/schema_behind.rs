//! Programs that are newer than the schema, and may not migrate: they say what is missing, and go on once it is there.

use std::str::FromStr;

use rollcall_shared::database::{self, MIGRATIONS};
use rollcall_tests::{App, KEY, event, wait_until};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

/// A database that lacks the last migration, its URL, and the number of this migration.
async fn database_behind(app: &App) -> (PgPool, String, i64) {
    let options = PgConnectOptions::from_str(&app.database_url).unwrap();
    let name = format!("{}_behind", options.get_database().unwrap());
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&app.pool).await.unwrap();
    let (server, _) = app.database_url.rsplit_once('/').unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options.database(&name)).await.unwrap();
    let mut known: Vec<_> = MIGRATIONS.iter().cloned().collect();
    let last = known.pop().unwrap();
    Migrator::with_migrations(known).run(&pool).await.unwrap();
    (pool, format!("{server}/{name}"), last.version)
}

async fn readiness(app: &App, url: &str) -> Option<(u16, Value)> {
    let answer = app.http.get(format!("{url}/health/ready")).send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn services_say_which_migration_is_missing_and_begin_after_it() {
    let app = App::start_without_workers(Vec::new()).await;
    let (pool, database_url, missing) = database_behind(&app).await;
    let behind = [("DATABASE_URL", database_url.as_str())];
    let ((mut api, api_url), (mut worker, worker_url)) = (app.process_with("api", &behind), app.process_with("worker", &behind));
    api.start();
    worker.start();
    let said = format!("the schema lacks migration {missing}");
    for process in [&api, &worker] {
        wait_until("the log says what is missing", async || process.log().contains(&said).then_some(())).await;
    }
    let dependencies = json!({"postgres": "up", "nats": "up"});
    let not_ready = json!({"status": "not ready", "dependencies": dependencies,
                           "reasons": ["the schema is not up to date yet: run `rollcall migrate`"]});
    let waits = wait_until("the worker waits", async || readiness(&app, &worker_url).await.filter(|it| it.1 == not_ready)).await;
    assert_eq!(waits.0, 503);
    let degraded = json!({"status": "degraded", "dependencies": dependencies,
                          "reasons": ["the schema is not up to date yet: queries cannot be answered"]});
    assert_eq!(readiness(&app, &api_url).await.unwrap(), (200, degraded));
    let sent = app.http.post(format!("{api_url}/events")).header("X-API-Key", KEY);
    let sent = sent.json(&event("a", "ada", "t", "2026-03-01T10:00:00Z")).send().await.unwrap();
    assert_eq!(sent.status(), 202, "events are accepted");

    database::migrate(&pool).await.unwrap();
    app.wait_until_ready(&worker_url).await;
    app.wait_until_ready(&api_url).await;
    wait_until("the event is stored", async || {
        let stored: i64 = sqlx::query_scalar("select count(*) from events").fetch_one(&pool).await.ok()?;
        (stored == 1).then_some(())
    })
    .await;
}
