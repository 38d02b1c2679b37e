//! Large batches: a hundred thousand events in one request, twice; and batches that look all new.

use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, KEY, wait_until};
use rollcall_worker::bulk::{Lines, Loader};
use serde_json::{Value, json};

fn body() -> String {
    let line = |n: u64| {
        let (user, event_type, day) = (n * 7919 % 20_011, n * n % 17, n % 28 + 1);
        format!(
            "{{\"event_id\":\"evt_{n}\",\"user_id\":\"user_{user}\",\"event_type\":\"type_{event_type}\",\
             \"occurred_at\":\"2025-10-{day:02}T{:02}:00:00Z\",\"properties\":{{\"page\":\"/p/{n}\",\"referrer\":\"google.com\",\
             \"device\":\"Chrome on Linux\",\"experiment\":\"control\",\"duration_ms\":{}}}}}\n",
            n % 24,
            n % 60_000
        )
    };
    (0..100_000).map(line).collect()
}

async fn answers(app: &App) -> Vec<Value> {
    let mut answers = Vec::new();
    for question in [
        "/stats/dau?from=2025-10-01&to=2025-10-31",
        "/stats/dau?from=2025-10-01&to=2025-10-31&granularity=week&event_type=type_4",
        "/stats/top-events?from=2025-10-01&to=2025-10-31&limit=100",
        "/stats/retention?start_date=2025-10-01&cohorts=2&windows=3",
    ] {
        answers.push(app.ask(question).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_events_are_stored_once_however_often_they_are_sent() {
    let app = App::start().await;
    let body = body();
    let send = async || {
        let request =
            app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).header("Content-Type", "application/x-ndjson");
        let answer: Value = request.body(body.clone()).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["events_count"], 100_000);
        app.wait_until_stored().await;
    };
    send().await;
    assert_eq!(app.stored().await, 100_000);
    let first = answers(&app).await;
    let total: u64 = first[2]["data"].as_array().unwrap().iter().filter_map(|row| row["count"].as_u64()).sum();
    assert_eq!(total, 100_000);
    send().await;
    assert_eq!(app.stored().await, 100_000);
    assert_eq!(answers(&app).await, first);
    app.wait_until_compacted().await;
    assert_eq!(answers(&app).await, first);
    assert_ne!(first[3]["data"], json!([]));
}

/// Events of a batch in the tests below: enough to be assumed all new.
const BATCH_EVENTS: u32 = 6_000;

/// A batch of events, numbered from `first`.
fn lines(first: u32) -> Lines {
    let line = |number| {
        let occurred_us = 1_760_000_000_000_000 + i64::from(number) * 1_000_000;
        format!(
            r#"{{"id":"e{number}","type":"t","user":"u{}","occurred_us":{occurred_us},"received_us":0,"properties":{{}}}}"#,
            number % 100
        ) + "\n"
    };
    Lines::new(ProjectId::DEFAULT, (first..first + BATCH_EVENTS).map(line).collect::<String>().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_looked_all_new_and_is_not_is_stored_once() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    // Every sixth batch begins with the second half of the batch before it. It is assumed to be all new,
    // because the five batches before it were.
    let overlap = |batch: u32| batch / 6 * (BATCH_EVENTS / 2);
    let firsts: Vec<u32> = (0..18).map(|batch| batch * BATCH_EVENTS - overlap(batch)).collect();
    let store = async |firsts: &[u32]| {
        let loader = Loader::new(app.pool.clone());
        let mut inserted = 0;
        for first in firsts {
            inserted += loader.store(&lines(*first)).await.unwrap();
        }
        inserted
    };
    // One loader stores alone. Then two store the same batches at the same time, and each finds duplicates of
    // the other's as well.
    let (alone, together) = firsts.split_at(7);
    let first = store(alone).await;
    assert_eq!(first, u64::from(alone[6] + BATCH_EVENTS));
    let (second, third) = tokio::join!(store(together), store(together));
    let distinct = i64::from(firsts[firsts.len() - 1] + BATCH_EVENTS);
    assert_eq!(first + second + third, distinct.cast_unsigned());
    let counts =
        "select (select count(*) from events), (select count(*) from event_ids), (select sum(n)::bigint from event_counts_delta)";
    let stored: (i64, i64, i64) = sqlx::query_as(counts).fetch_one(&app.pool).await.unwrap();
    assert_eq!(stored, (distinct, distinct, distinct));
    let rolled_back = "select xact_rollback from pg_stat_database where datname = current_database()";
    wait_until("some guess was wrong", async || {
        let count: i64 = sqlx::query_scalar(rolled_back).fetch_one(&app.pool).await.unwrap();
        (count > 0).then_some(())
    })
    .await;
}

/// An engine in front of PostgreSQL that reports any error of a COPY as an internal one.
async fn refuse_copies(app: &App, table: &str) {
    let statement = format!(
        "create function refuse_copies() returns trigger language plpgsql as $$
        begin
            if current_query() ~* 'from stdin' then raise exception 'no copy' using errcode = 'XX000'; end if;
            return new;
        end $$;
        create trigger refuse_copies before insert on {table} for each row execute function refuse_copies()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&app.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_that_fails_for_no_known_reason_is_a_wrong_guess() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    refuse_copies(&app, "event_ids").await;
    let loader = Loader::new(app.pool.clone());
    // After four batches that are all new, the next ones are assumed to be all new.
    for batch in 0..6 {
        assert_eq!(loader.store(&lines(batch * BATCH_EVENTS)).await.unwrap(), u64::from(BATCH_EVENTS));
    }
    assert_eq!(app.stored().await, 36_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_copied_for_no_known_reason_are_inserted() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    refuse_copies(&app, "events").await;
    assert_eq!(Loader::new(app.pool.clone()).store(&lines(0)).await.unwrap(), 6_000);
    assert_eq!(app.stored().await, 6_000);
}
