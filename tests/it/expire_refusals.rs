//! Expiry: an event that its project keeps no longer is refused, wherever it is, and is never counted twice.

use reqwest::Method;
use rollcall_tests::{App, Process, at, days_ago, event, wait_until};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

const LIST: &str = "/admin/dead-letters";

fn old(id: &str, days: i64) -> Value {
    event(id, "ada", "t", &at(days, "10:00:00"))
}

/// Waits until the API says this about an event of so many days ago, which it refuses in any case: nobody did it.
async fn wait_for_refusal(app: &App, days: i64, message: &str) {
    let body = json!([{"event_id": "refused", "event_type": "t", "timestamp": at(days, "10:00:00")}]).to_string();
    let expected = json!({"index": 0, "event_id": "refused", "field": "timestamp", "code": "expired", "message": message});
    wait_until(message, async || {
        let (status, answer) = app.post("/events", &[], body.clone()).await;
        assert_eq!(status, 422);
        answer["errors"].as_array().unwrap().contains(&expected).then_some(())
    })
    .await;
}

async fn letters(app: &App, query: &str) -> Vec<Value> {
    app.get(&format!("{LIST}{query}")).await.1["data"].as_array().unwrap().clone()
}

async fn count_of_day(app: &App, days: i64) -> Value {
    let day = days_ago(days);
    app.get(&format!("/stats/top-events?from={day}&to={day}")).await.1["data"].clone()
}

/// A worker in a process of its own, which runs.
async fn worker(app: &App) -> Process {
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_refuses_events_before_the_horizon_and_names_it() {
    let app = App::start().await;
    app.keep_for("default", Some(30)).await;
    let message = format!("must not be before {} (UTC): this project keeps events for 30 days", days_ago(30));
    wait_for_refusal(&app, 31, &message).await;
    // The last moment that is too old, the first that is not, and none at all, which means now.
    let events = json!([
        event("too-old", "ada", "t", &at(31, "23:59:59.999999")),
        event("kept", "ada", "t", &at(30, "00:00:00")),
        {"event_id": "now", "user_id": "ada", "event_type": "t"},
    ]);
    let (status, answer) = app.post("/events", &[], events.to_string()).await;
    assert_eq!((status, &answer["invalid_events"], &answer["errors"][0]["event_id"]), (422, &json!(1), &json!("too-old")));
    assert_eq!(answer["errors"][0]["field"], "occurred_at");
    let (status, answer) = app.post("/events?partial=true&wait=stored&timeout_ms=30000", &[], events.to_string()).await;
    assert_eq!((status, &answer["inserted"], &answer["rejected"][0]["code"]), (200, &json!(2), &json!("expired")), "{answer}");
    assert_eq!(app.stored().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_event_that_is_too_old_becomes_a_dead_letter_and_so_does_its_redrive() {
    let app = App::start_without_workers(Vec::new()).await;
    app.send(&json!([old("old", 40), old("kept", 20), {"event_id": "undated", "user_id": "ada", "event_type": "t"}])).await;
    app.keep_for("default", Some(30)).await;
    let _worker = worker(&app).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2);
    let found = letters(&app, "?code=expired").await;
    let [letter] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (&letter["event_id"], &letter["attempts"], &letter["redrives"], &letter["kind"]),
        (&json!("old"), &json!(1), &json!(0), &json!("event"))
    );
    let reason = format!("project 1 keeps no events from before {} (UTC)", days_ago(30));
    assert_eq!(letter["reason"], json!(reason));
    assert_eq!(app.get("/pipeline/events/old").await.1["status"], "dead_lettered");

    let id = letter["id"].as_str().unwrap();
    assert_eq!(app.call(Method::POST, &format!("{LIST}/{id}/redrive")).await.1["redriven"], 1);
    app.wait_until_stored().await;
    let found = letters(&app, "").await;
    assert_eq!((found.len(), &found[0]["code"], &found[0]["redrives"]), (1, &json!("expired"), &json!(1)), "{found:?}");
    assert_eq!((app.stored().await, count_of_day(&app, 40).await), (2, json!([])));
    app.wait_until_no_message_is_counted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_event_is_never_counted_again_even_if_the_project_keeps_everything_now() {
    let app = App::start_without_workers(Vec::new()).await;
    let mut first = worker(&app).await;
    app.send(&json!([old("x", 40), old("y", 20)])).await;
    app.wait_until_stored().await;
    first.stop().await.unwrap();
    let counted = count_of_day(&app, 40).await;
    assert_eq!(counted[0]["count"], 1);
    // The same events come once more, and meanwhile the identity of one is deleted.
    app.send(&json!([old("x", 40), old("y", 20)])).await;
    app.keep_for("default", Some(30)).await;
    assert_eq!(app.expired(&[]).await[0]["identities"], 1);
    app.keep_for("default", None).await;
    let message = format!("must not be before {} (UTC): earlier events of this project were deleted", days_ago(30));
    wait_for_refusal(&app, 40, &message).await;
    app.send(&json!([old("later", 30)])).await;

    let _second = worker(&app).await;
    app.wait_until_stored().await;
    assert_eq!(count_of_day(&app, 40).await, counted);
    let found = letters(&app, "").await;
    assert_eq!((found.len(), &found[0]["event_id"], &found[0]["code"]), (1, &json!("x"), &json!("expired")), "{found:?}");
    let identities: i64 = sqlx::query_scalar("select count(*) from event_ids").fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, identities), (2, 2), "y, and the one that the API took after that");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_commits_while_the_horizon_moves_sees_the_new_one() {
    let app = App::start().await;
    app.send(&json!([old("x", 40)])).await;
    app.wait_until_stored().await;
    // A project without a horizon is not locked: what it has claimed was claimed before the first one was set.
    app.keep_for("default", Some(3_650)).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut moving = other.begin().await.unwrap();
    // As expiry does it: the horizon moves, and the identity of x goes. Then x comes again.
    sqlx::query("select from projects where id = 1 for update").execute(&mut *moving).await.unwrap();
    sqlx::query("update projects set kept_from = now() - interval '30 days' where id = 1").execute(&mut *moving).await.unwrap();
    sqlx::query("delete from event_ids").execute(&app.pool).await.unwrap();
    app.send(&json!([old("x", 40)])).await;
    wait_until("the batch waits for the project", async || {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock' and query ilike '%for key share%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    moving.commit().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(letters(&app, "?code=expired").await.len(), 1);
    assert_eq!(count_of_day(&app, 40).await[0]["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_waits_for_a_batch_that_is_about_to_commit_and_then_deletes_what_it_stored() {
    let app = App::start().await;
    app.send(&json!([old("x", 40)])).await;
    app.wait_until_stored().await;
    app.keep_for("default", Some(30)).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut batch = other.begin().await.unwrap();
    // What a worker holds when it has found that the horizon is where it was.
    sqlx::query("select from projects where id = 1 for key share").execute(&mut *batch).await.unwrap();
    let (expiry, _) = app.process("rollcall");
    let mut expiry = expiry.with_arguments(&["expire"]);
    expiry.start();
    wait_until("expiry waits", async || {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and application_name = 'rollcall-expire' and query ilike '%for update%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    let insert = "insert into event_ids (project_id, event_id, day) values (1, gen_random_uuid(), current_date - 50)";
    sqlx::query(insert).execute(&mut *batch).await.unwrap();
    let moved: bool =
        sqlx::query_scalar("select kept_from is not null from projects where id = 1").fetch_one(&app.pool).await.unwrap();
    assert!(!moved, "{}", expiry.log());
    batch.commit().await.unwrap();
    let status = wait_until("expiry ends", || std::future::ready(expiry.ended())).await;
    assert!(status.success(), "{}", expiry.log());
    let identities: i64 = sqlx::query_scalar("select count(*) from event_ids").fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, identities), (0, 0));
}
