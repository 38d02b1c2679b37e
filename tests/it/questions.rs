//! Questions that take long: what they do to others, and to keys.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rollcall_tests::{App, AppOptions, KEY, event, wait_until};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Questions under way of one project, with a pool of four.
const SHARE: usize = 3;

/// A service whose locks are waited for longer than any test takes.
async fn service() -> App {
    let variables = [("DATABASE_LOCK_TIMEOUT_MS", "60000"), ("DATABASE_ACQUIRE_TIMEOUT_MS", "1000")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    App::start_with(AppOptions { variables, ..AppOptions::default() }).await
}

/// Holds a table against everybody until it is dropped.
async fn lock(app: &App, table: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
    let statement = format!("begin; lock table {table} in access exclusive mode");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection
}

/// How many connections of the API wait for a lock.
async fn waiting(app: &App) -> i64 {
    let count = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'rollcall-api' \
                 and datname = current_database()";
    sqlx::query_scalar(count).fetch_one(&app.pool).await.unwrap()
}

async fn ask(app: &App, key: &str, path: &str) -> (u16, Option<String>, Value) {
    let response = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", key).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry_after, response.json().await.unwrap())
}

async fn send(app: &App, key: &str) -> u16 {
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", key);
    request.json(&event("a", "ada", "t", "2026-03-01T10:00:00Z")).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_questions_of_one_key_leave_keys_readiness_and_other_projects_alone() {
    let app = service().await;
    app.add_key("default", "slow", &["read", "ingest"]).await;
    app.add_key("other", "other-key", &["read"]).await;
    assert_eq!(send(&app, "slow").await, 202);
    app.wait_until_stored().await;
    let locked = lock(&app, "active_users").await;
    let questions = join_all((0..14).map(|_| ask(&app, "slow", "/stats/dau")));
    let others = async {
        wait_until("the share is used up", async || (waiting(&app).await == SHARE as i64).then_some(())).await;
        assert_eq!(ask(&app, "nobody-has-it", "/stats/top-events").await.0, 401, "an unknown key");
        assert_eq!(ask(&app, "other-key", "/stats/top-events").await, (200, None, json!({"data": []})), "another project");
        let ready = json!({"status": "ready", "dependencies": {"postgres": "up", "nats": "up"}});
        assert_eq!(app.get("/health/ready").await, (200, ready));
        sqlx::query("update api_keys set revoked_at = now() where name = 'slow'").execute(&app.pool).await.unwrap();
        let revoked_at = Instant::now();
        let last_accepted = wait_until("the revoked key is refused", async || {
            let sent_at = Instant::now();
            let status = send(&app, "slow").await;
            assert!(status == 401 || sent_at.duration_since(revoked_at) < Duration::from_secs(5), "accepted too late");
            (status == 401).then_some(())
        });
        last_accepted.await;
        assert_eq!(waiting(&app).await, SHARE as i64, "the questions still wait");
        drop(locked);
    };
    let (answers, ()) = tokio::join!(questions, others);
    let (refused, answered): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, ..)| *status == 429);
    assert_eq!(answered.iter().map(|(status, ..)| *status).collect::<Vec<_>>(), [200; SHARE]);
    let message = "3 queries of this project are already running; try again when one has finished";
    let problem = json!({"type": "urn:rollcall:problem:too_many_questions", "title": "Too Many Requests", "status": 429,
                         "code": "too_many_questions", "detail": message, "message": message});
    assert!(refused.iter().all(|answer| *answer == (429, Some("1".to_owned()), problem.clone())), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_client_has_gone_keeps_its_place_until_it_has_ended() {
    let app = service().await;
    let locked = lock(&app, "active_users").await;
    for _ in 0..4 {
        let gone = join_all((0..SHARE).map(|_| {
            let request = app.http.get(format!("{}/stats/dau", app.url)).header("X-API-Key", KEY);
            request.timeout(Duration::from_millis(300)).send()
        }));
        gone.await.into_iter().for_each(|answer| assert!(answer.is_err()));
        assert!(waiting(&app).await <= SHARE as i64);
    }
    drop(locked);
    let today = wait_until("questions are answered again", async || {
        let (status, answer) = app.get("/stats/dau").await;
        (status == 200).then_some(answer)
    });
    assert_eq!(today.await["granularity"], "day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_busy_is_not_taken_for_one_that_is_away() {
    let app = service().await;
    app.add_key("default", "known", &["read", "ingest"]).await;
    assert_eq!(send(&app, "known").await, 202);
    let locked = lock(&app, "api_keys").await;
    // As long as it is believed without asking, the key is good.
    let (retry_after, answer) = wait_until("the known key cannot be looked up", async || {
        let (status, retry_after, answer) = ask(&app, "known", "/pipeline").await;
        (status == 503).then_some((retry_after, answer))
    })
    .await;
    assert_eq!((retry_after.as_deref(), &answer["code"]), (Some("1"), &json!("database_busy")));
    assert_eq!(answer["message"], "the database is busy at the moment; try again");
    assert_eq!(app.get("/health/ready").await.1["status"], "ready");
    app.send(&event("b", "bob", "t", "2026-03-01T10:00:00Z")).await;
    drop(locked);
    wait_until("the key is good again", async || (send(&app, "known").await == 202).then_some(())).await;
}
