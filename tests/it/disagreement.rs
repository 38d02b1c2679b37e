//! Disagreement: PostgreSQL writes other rows than it was sent. Nothing of the batch may stay then.

use rollcall_tests::{App, AppOptions, event, metric, wait_until};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// Identities, rows, and rows of the four tables of deltas.
async fn written(app: &App) -> [i64; 6] {
    let counts = "select array[(select count(*) from event_ids), (select count(*) from events), \
                  (select count(*) from event_counts_delta), (select count(*) from active_users_delta), \
                  (select count(*) from sessions_delta), (select count(*) from user_activity_delta)]";
    sqlx::query_scalar(counts).fetch_one(&app.pool).await.unwrap()
}

/// While rows of `table` that meet `condition` are dropped without a word, a batch of so many events
/// is not stored; afterwards it is, once.
async fn assert_nothing_stays_of_a_batch(events: usize, table: &str, condition: &str) {
    // Folding would hide whether deltas were written.
    let variables = vec![("COMPACT_INTERVAL_MS", "3600000".to_owned())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    let swallow = format!(
        "create function swallow() returns trigger language plpgsql as $$
         begin
             if {condition} then return null; end if;
             return new;
         end $$;
         create trigger swallow before insert on {table} for each row execute function swallow()"
    );
    sqlx::raw_sql(AssertSqlSafe(swallow)).execute(&app.pool).await.unwrap();
    let with_session = |n: usize| {
        let mut event = event(&format!("e{n}"), &format!("u{}", n % 7), &format!("t{}", n % 3), "2026-03-01T10:00:00Z");
        event["session_id"] = json!(format!("s{}", n % 5));
        event
    };
    let batch: Vec<Value> = (0..events).map(with_session).collect();
    app.send(&json!(batch)).await;
    wait_until("the batch is tried again", async || (metric(&url, "rollcall_store_retries_total").await? >= 2.0).then_some(()))
        .await;
    assert_eq!(written(&app).await, [0; 6]);

    sqlx::raw_sql(AssertSqlSafe(format!("drop trigger swallow on {table}"))).execute(&app.pool).await.unwrap();
    app.wait_until_stored().await;
    let [ids, rows, ..] = written(&app).await;
    assert_eq!((ids, rows), (events as i64, events as i64));
    let answer = app.ask("/stats/top-events?from=2026-03-01&to=2026-03-01").await;
    let counted: u64 = answer["data"].as_array().unwrap().iter().filter_map(|row| row["count"].as_u64()).sum();
    assert_eq!(counted, events as u64, "{answer}");
    app.ask("/stats/dau?from=2026-03-01&to=2026-03-01").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_insert_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(30, "events", "new.client_event_id = 'e17'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_copy_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(3_000, "events", "new.client_event_id = 'e1700'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(30, "event_counts_delta", "new.n > 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitmap_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(30, "active_users_delta", "new.event_type_id > 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(30, "sessions_delta", "new.sessions > 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_not_written_takes_its_batch_back() {
    assert_nothing_stays_of_a_batch(30, "user_activity_delta", "new.users > 0").await;
}
