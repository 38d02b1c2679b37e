//! Stalls: locks of strangers, a PostgreSQL that stands still, a worker that does, each for longer
//! than every time limit.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use nix::sys::signal::Signal;
use rollcall_shared::event::identity;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{STREAM, consumers};
use rollcall_tests::{App, AppOptions, Pause, Poison, Stranger, event, metric, wait_until, wait_until_or};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// Every time limit, lowered.
const LIMITS: [(&str, &str); 5] = [
    ("DATABASE_LOCK_TIMEOUT_MS", "500"),
    ("DATABASE_STATEMENT_TIMEOUT_MS", "2000"),
    ("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", "2000"),
    ("DATABASE_REPLY_TIMEOUT_MS", "2500"),
    ("DATABASE_ACQUIRE_TIMEOUT_MS", "1000"),
];
/// Longer than each of them.
const PAST_EVERY_LIMIT: Duration = Duration::from_millis(3_500);
const TIME: &str = "2026-03-01T10:00:00Z";

/// Options with the lowered limits, and with others in their place.
fn options(workers: usize, others: &[(&'static str, &str)]) -> AppOptions {
    let variables = LIMITS.iter().chain(others).map(|(name, value)| (*name, (*value).to_owned())).collect();
    AppOptions { workers, variables, ..AppOptions::default() }
}

/// Identities, rows, and events in the rollups.
async fn counts(app: &App) -> (i64, i64, i64) {
    let counts = "select (select count(*) from event_ids), (select count(*) from events), \
                  (select coalesce(sum(n), 0)::bigint from (select n from event_counts union all select n from event_counts_delta) as counts)";
    sqlx::query_as(counts).fetch_one(&app.pool).await.unwrap()
}

/// Sessions of workers, by a condition on them.
async fn sessions(app: &App, condition: &str) -> i64 {
    let count = format!(
        "select count(*) from pg_stat_activity \
         where datname = current_database() and application_name = 'rollcall-worker' and {condition}"
    );
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&app.pool).await.unwrap()
}

/// Waits for a session of a worker of which the condition is true.
async fn wait_for_session(app: &App, condition: &str) {
    let ask = async || (sessions(app, condition).await > 0).then_some(());
    wait_until_or(condition, ask, async || {
        let all = "select format(E'\\n%s, %s, %s', state, wait_event, query) from pg_stat_activity \
                   where datname = current_database() and application_name = 'rollcall-worker'";
        let sessions: Vec<String> = sqlx::query_scalar(all).fetch_all(&app.pool).await.unwrap();
        format!("; sessions:{}", sessions.concat())
    })
    .await;
}

async fn wait_until_sessions_wait(app: &App, sessions_that_wait: i64) {
    let wait = async || (sessions(app, "wait_event_type = 'Lock'").await >= sessions_that_wait).then_some(());
    wait_until("workers wait for a lock", wait).await;
}

/// The worker at this address has tried again so often.
async fn wait_until_retried(url: &str, times: f64) {
    let retried = async || (metric(url, "rollcall_store_retries_total").await? >= times).then_some(());
    wait_until("the worker tries again and again", retried).await;
}

/// Locks the partition of events of this time as `create index` does.
async fn index_partition(app: &App, time: Timestamp) -> Stranger {
    let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    let partition = format!("events_{}_{}", day.strftime("%Y%m%d"), day.saturating_add(1.day()).strftime("%Y%m%d"));
    Stranger::hold(&app.database_url, &format!("lock table {partition} in share mode")).await.unwrap()
}

/// Sends two batches of 3,000 that a worker begins and cannot end.
async fn begin_two_batches(app: &App, time: Timestamp) {
    let context = app.jetstream().await;
    // They are large, and the project has the number 1.
    let consumer = &consumers(Priority::Bulk)[1];
    for batch in 0..2 {
        let events: Vec<_> = (0..3_000).map(|n| event(&format!("b{batch}-{n}"), "u", "t", &time.to_string())).collect();
        app.send(&json!(events)).await;
        wait_until("the worker has the batch", async || {
            let mut consumer: async_nats::jetstream::consumer::PullConsumer =
                context.get_consumer_from_stream(consumer, STREAM).await.ok()?;
            (consumer.info().await.ok()?.num_ack_pending == batch + 1).then_some(())
        })
        .await;
        if batch == 0 {
            wait_until_sessions_wait(app, 1).await;
        }
    }
}

/// Sends an event and waits until it is stored; returns the answer.
async fn store_one(app: &App, event: Value) -> Value {
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=5000", &[], event.to_string()).await;
    // A busy machine makes the answer late; what it says must be true.
    assert!(status == 200 || status == 202, "{answer}");
    answer
}

/// Sends 120 single events, and then all 6,120 must be there once.
async fn assert_next_events_are_stored(app: &App, time: Timestamp) {
    let mut doubtful = Vec::new();
    for n in 0..120 {
        let answer = store_one(app, event(&format!("s{n}"), "u", "t", &time.to_string())).await;
        if answer["duplicates"] == 1 {
            doubtful.push(answer);
        }
    }
    app.wait_until_stored().await;
    let (stored, reported) = (counts(app).await, doubtful.len());
    assert_eq!((stored, reported), ((6_120, 6_120, 6_120), 0), "stored, and called duplicates: {doubtful:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_after_a_lock_longer_than_every_limit_are_stored_once() {
    let app = App::start_with(options(1, &[])).await;
    let now = Timestamp::now();
    let stranger = index_partition(&app, now).await;
    begin_two_batches(&app, now).await;
    tokio::time::sleep(PAST_EVERY_LIMIT).await;
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_next_events_are_stored(&app, now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_after_a_stop_of_postgres_longer_than_every_limit_are_stored_once() {
    // The server's limits are long, so that the client's own is the first to pass.
    let long = [("DATABASE_LOCK_TIMEOUT_MS", "60000"), ("DATABASE_STATEMENT_TIMEOUT_MS", "60000")];
    let app = App::start_with(AppOptions { own_postgres: true, ..options(1, &long) }).await;
    let now = Timestamp::now();
    // So that both batches are in the middle of their COPY when the server stops.
    let stranger = index_partition(&app, now).await;
    begin_two_batches(&app, now).await;
    wait_until_sessions_wait(&app, 2).await;
    let paused = Pause::of(app.postgres.as_ref().unwrap().pid());
    tokio::time::sleep(PAST_EVERY_LIMIT).await;
    drop(paused);
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_next_events_are_stored(&app, now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncommitted_identity_of_a_stranger_holds_up_its_batch_and_takes_no_connections() {
    let app = App::start_with(options(0, &[])).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    let claim = format!("insert into event_ids (project_id, event_id, day) values (1, '{}', '2026-03-01')", identity("held"));
    let stranger = Stranger::hold(&app.database_url, &claim).await.unwrap();
    app.send(&json!([event("held", "u", "t", TIME)])).await;
    wait_until_retried(&url, 4.0).await;
    let (all, waiting) = (sessions(&app, "true").await, sessions(&app, "wait_event_type = 'Lock'").await);
    assert!(all <= 4 && waiting <= 1, "{all} sessions, of which {waiting} wait");
    for n in 0..20 {
        let answer = store_one(&app, event(&format!("e{n}"), "u", "t", TIME)).await;
        assert_eq!(answer["inserted"], 1, "{answer}");
    }
    assert_eq!(counts(&app).await, (20, 20, 20));
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(counts(&app).await, (21, 21, 21));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_count_is_held_against_no_message() {
    let others = [("DATABASE_LOCK_TIMEOUT_MS", "200"), ("DATABASE_MAX_CONNECTIONS", "10"), ("RETRY_DELAY_MS", "2000")];
    let app = App::start_with(options(0, &others)).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    Poison::lay(&app.pool).await;
    app.send(&json!([Poison::in_event(event("e", "u", "t", TIME))])).await;
    wait_until("it is refused and counted", async || {
        let counted: i64 = sqlx::query_scalar("select count(*) from troubled_messages").fetch_one(&app.pool).await.ok()?;
        (counted == 1).then_some(())
    })
    .await;
    let stranger = Stranger::hold(&app.database_url, "select from troubled_messages for update").await.unwrap();
    Poison::lift(&app.pool).await;
    // A beginning that counted with each try would now be one more than a message may have.
    wait_until_retried(&url, 6.0).await;
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
    assert_eq!(counts(&app).await, (1, 1, 1));
    app.wait_until_no_message_is_counted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_project_holds_up_new_names_alone() {
    let app = App::start_with(options(0, &[])).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.send(&json!([event("first", "known", "t", TIME)])).await;
    app.wait_until_stored().await;
    let stranger = Stranger::hold(&app.database_url, "select from projects for update").await.unwrap();
    app.send(&json!([event("second", "new", "t", TIME)])).await;
    wait_until_retried(&url, 3.0).await;
    let answer = store_one(&app, event("third", "known", "t", TIME)).await;
    assert_eq!(answer["inserted"], 1, "{answer}");
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(counts(&app).await, (3, 3, 3));
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_in_a_transaction_keeps_no_locks() {
    let others = [
        ("ACK_WAIT_MS", "1000"),
        ("DATABASE_LOCK_TIMEOUT_MS", "30000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "30000"),
        // Otherwise the worker may give up this attempt just before it is stopped.
        ("DATABASE_REPLY_TIMEOUT_MS", "60000"),
        // Long enough to be seen on a busy machine.
        ("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", "10000"),
    ];
    let app = App::start_with(options(0, &others)).await;
    let now = Timestamp::now();
    let stranger = index_partition(&app, now).await;
    let (mut still, url) = app.process("worker");
    still.start();
    app.send(&json!([event("e", "u", "t", &now.to_string())])).await;
    let writes = "query ilike '%insert into events %'";
    wait_for_session(&app, &format!("wait_event_type = 'Lock' and {writes}")).await;
    still.stand_still();
    stranger.let_go().await.unwrap();
    // Whatever else the worker was at may be idle in a transaction as well.
    wait_for_session(&app, &format!("state = 'idle in transaction' and {writes}")).await;
    let (mut other, _) = app.process("worker");
    other.start();
    app.wait_until_stored().await;
    assert_eq!(counts(&app).await, (1, 1, 1), "the other worker has stored it");
    still.signal(Signal::SIGCONT);
    app.wait_until_ready(&url).await;
    app.send(&json!([event("e", "u", "t", &now.to_string()), event("f", "u", "t", &now.to_string())])).await;
    app.wait_until_stored().await;
    assert_eq!(counts(&app).await, (2, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_synchronous_whatever_the_database_says() {
    let app = App::start_with(options(0, &[])).await;
    let asynchronous = "
        do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$;
        create table commits (event_id uuid, synchronous_commit text);
        create function note_commit() returns trigger language plpgsql as $$
        begin
            insert into commits values (new.event_id, current_setting('synchronous_commit'));
            return new;
        end $$;
        create trigger note_commit before insert on events for each row execute function note_commit()";
    sqlx::raw_sql(asynchronous).execute(&app.pool).await.unwrap();
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.send(&json!([event("e", "u", "t", TIME)])).await;
    app.wait_until_stored().await;
    let seen: Vec<String> = sqlx::query_scalar("select synchronous_commit from commits").fetch_all(&app.pool).await.unwrap();
    assert_eq!(seen, ["on"]);
}
