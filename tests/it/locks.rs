//! Locks that somebody else holds: they cost the batch that needs them time, and nothing else.

use rollcall_tests::{App, AppOptions, event, wait_until};
use serde_json::json;
use sqlx::{Connection, PgConnection};

const ID: &str = "7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11";

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_somebody_holds_uncommitted_blocks_no_connection_for_long() {
    let variables = vec![("DATABASE_LOCK_TIMEOUT_MS", "200".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    let claim = "insert into event_ids (project_id, event_id, day) values (1, $1::uuid, '2026-03-01')";
    sqlx::query(claim).bind(ID).execute(&mut *transaction).await.unwrap();

    app.send(&json!([event(ID, "u", "t", "2026-03-01T10:00:00Z")])).await;
    let blocked = async || -> i64 {
        let blocked = "select count(*) from pg_stat_activity \
                       where datname = current_database() and application_name = 'rollcall-worker' and wait_event_type = 'Lock'";
        sqlx::query_scalar(blocked).fetch_one(&app.pool).await.unwrap()
    };
    for _ in 0..3 {
        wait_until("it is blocked", async || (blocked().await > 0).then_some(())).await;
        wait_until("it is not any more", async || (blocked().await == 0).then_some(())).await;
    }
    let (status, answer) = app
        .post("/events?wait=stored&timeout_ms=30000", &[], json!([event("e", "u", "t", "2026-03-01T10:00:00Z")]).to_string())
        .await;
    assert_eq!(status, 200, "{answer}");
    transaction.rollback().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2);
}
