//! Fairness: what a project sends in bulk delays neither the events of others nor its own.

use async_nats::jetstream::consumer::pull;
use jiff::{Timestamp, ToSpan};
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{self, CONSUMER, STREAM, consumers};
use rollcall_shared::settings::Environment;
use rollcall_stack::NatsUser;
use rollcall_tests::{App, AppOptions, KEY, LiveReader, Stranger, event, wait_until};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const TIME: &str = "2026-03-01T10:00:00Z";
/// The key of another project than that of [`KEY`].
const OTHER_KEY: &str = "other-key";
/// Enough events for a request to be large.
const LARGE: usize = 1_000;

/// The order in which rows are inserted, whichever batch they belong to.
const NOTE_INSERTS: &str = "
    create table inserts (number bigserial, client_event_id text);
    create function note_insert() returns trigger language plpgsql as $$
    begin
        insert into inserts (client_event_id) values (new.client_event_id);
        return new;
    end $$;
    create trigger note_insert before insert on events for each row execute function note_insert()";

async fn start(workers: usize, variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let app = App::start_with(AppOptions { workers, variables, ..AppOptions::default() }).await;
    app.add_key("other", OTHER_KEY, &["ingest"]).await;
    app
}

fn large(name: &str, time: &str) -> Value {
    (0..LARGE).map(|n| event(&format!("{name}-{n}"), &format!("user-{n}"), "t", time)).collect()
}

/// Sends with a key; returns the status.
async fn send_with(app: &App, key: &str, query: &str, body: &Value) -> u16 {
    let request = app.http.post(format!("{}/events{query}", app.url)).header("X-API-Key", key).json(body);
    request.send().await.unwrap().status().as_u16()
}

/// The messages that wait for a consumer.
async fn pending(app: &App, consumer: &str) -> u64 {
    let stream = app.jetstream().await.get_stream(STREAM).await.unwrap();
    stream.consumer_info(consumer).await.unwrap().num_pending
}

/// Waits until these many messages with normal priority, and these many of the bulk of a shard, wait.
async fn wait_until_pending(app: &App, normal: u64, shard: usize, bulk: u64) {
    let shard = &consumers(Priority::Bulk)[shard];
    // The server counts a message for its consumer a moment after it has confirmed it.
    wait_until("the messages wait for their consumers", async || {
        ((pending(app, CONSUMER).await, pending(app, shard).await) == (normal, bulk)).then_some(())
    })
    .await;
}

/// The shard of the other project.
async fn shard_of_other(app: &App) -> usize {
    let id: i32 = sqlx::query_scalar("select id from projects where name = 'other'").fetch_one(&app.pool).await.unwrap();
    let shard = usize::try_from(id).unwrap() % consumers(Priority::Bulk).len();
    assert_ne!(shard, 1, "the project `default` has the number 1");
    shard
}

/// The numbers of the first and the last row, among all that were inserted, whose id begins like this.
async fn places(app: &App, beginning: &str) -> (i64, i64) {
    let places = "select min(number), max(number) from inserts where starts_with(client_event_id, $1)";
    sqlx::query_as(places).bind(beginning).fetch_one(&app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_while_all_bulk_of_its_worker_waits_for_a_lock() {
    let app = start(1, &[("DATABASE_MAX_CONNECTIONS", "8")]).await;
    let now = Timestamp::now();
    let day = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let partition = format!("events_{}_{}", day.strftime("%Y%m%d"), day.saturating_add(1.day()).strftime("%Y%m%d"));
    let stranger = Stranger::hold(&app.database_url, &format!("lock table {partition} in share mode")).await.unwrap();
    // Workers gather what waits, so the second batch comes when the first one is being stored.
    for batch in 1..=2_i64 {
        app.send(&large(&format!("bulk-{batch}"), &now.to_string())).await;
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() \
                       and wait_event_type = 'Lock' and query ilike '%insert into events %'";
        wait_until("the batch waits for the lock", async || {
            let sessions: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.unwrap();
            (sessions == batch).then_some(())
        })
        .await;
    }
    for (key, id) in [(OTHER_KEY, "of-other"), (KEY, "of-importer")] {
        let status = send_with(&app, key, "?wait=stored&timeout_ms=30000", &json!([event(id, "new user", "t", TIME)])).await;
        assert_eq!(status, 200, "{id} is stored");
    }
    assert_eq!(app.stored().await, 2);
    stranger.let_go().await.unwrap();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2 + 2 * i64::try_from(LARGE).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_of_two_projects_are_stored_in_turn() {
    let app = start(0, &[("BATCH_MAX_EVENTS", "1")]).await;
    let shard = shard_of_other(&app).await;
    sqlx::raw_sql(AssertSqlSafe(NOTE_INSERTS)).execute(&app.pool).await.unwrap();
    for request in 0..10 {
        app.send(&large(&format!("whale-{request}"), TIME)).await;
    }
    assert_eq!(send_with(&app, OTHER_KEY, "", &large("other", TIME)).await, 202);
    wait_until_pending(&app, 0, 1, 10).await;
    wait_until_pending(&app, 0, shard, 1).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    let ((_, last_of_whale), (_, last_of_other)) = (places(&app, "whale-").await, places(&app, "other-").await);
    assert!(last_of_other < last_of_whale, "the other project's request waited for all {last_of_whale} rows of the whale");
    assert_eq!(app.stored().await, 11 * i64::try_from(LARGE).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_is_stored_while_other_events_never_cease_to_wait() {
    let app = start(0, &[("BATCH_MAX_EVENTS", "1")]).await;
    sqlx::raw_sql(AssertSqlSafe(NOTE_INSERTS)).execute(&app.pool).await.unwrap();
    // Each request has a message of its own, because each is sent after the answer to the one before.
    for n in 0..150 {
        app.send(&json!([event(&format!("single-{n}"), "u", "t", TIME)])).await;
    }
    app.send(&large("bulk", TIME)).await;
    wait_until_pending(&app, 150, 1, 1).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    let ((_, last_single), (first_of_bulk, _)) = (places(&app, "single-").await, places(&app, "bulk-").await);
    assert!(first_of_bulk < last_single, "bulk waited for all {last_single} rows before it");
    assert_eq!(app.stored().await, 150 + i64::try_from(LARGE).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn small_requests_past_the_allowance_of_their_project_are_bulk() {
    let app = start(0, &[("BULK_BURST_EVENTS", "20"), ("BULK_EVENTS_PER_SECOND", "0")]).await;
    let events = |count: usize| json!(vec![json!({"event_type": "t", "user_id": 1}); count]);
    for _ in 0..3 {
        app.send(&events(10)).await;
    }
    wait_until_pending(&app, 2, 1, 1).await;
    // Requests of more than ten events have an allowance of their own.
    for _ in 0..2 {
        app.send(&events(15)).await;
    }
    wait_until_pending(&app, 3, 1, 2).await;
    // A request that waits uses it up like any other.
    assert_eq!(send_with(&app, KEY, "?wait=stored&timeout_ms=1", &events(1)).await, 202);
    wait_until_pending(&app, 3, 1, 3).await;
    assert_eq!(send_with(&app, OTHER_KEY, "", &events(10)).await, 202);
    wait_until_pending(&app, 4, 1, 3).await;

    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 71);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_live_events_get_bulk_too() {
    let app = start(0, &[]).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    app.send(&json!([event("small", "u", "t", TIME)])).await;
    assert_eq!(reader.event_ids(1).await, ["small"]);
    app.send(&large("bulk", TIME)).await;
    assert_eq!(reader.event_ids(3).await, ["bulk-0", "bulk-1", "bulk-2"]);
}

/// Turns the stream and the consumer into those of a version without bulk.
async fn make_older(app: &App) {
    let context = app.jetstream().await;
    let stream = context.get_stream(STREAM).await.unwrap();
    for name in consumers(Priority::Bulk).iter().map(String::as_str).chain([CONSUMER]) {
        stream.delete_consumer(name).await.unwrap();
    }
    let mut config = stream.cached_info().config.clone();
    config.subjects = vec!["events.ingest.*".to_owned()];
    context.update_stream(&config).await.unwrap();
    let consumer = pull::Config { durable_name: Some(CONSUMER.to_owned()), max_ack_pending: 5_000, ..pull::Config::default() };
    stream.create_consumer(consumer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_the_stream_of_an_older_version_are_stored_after_the_upgrade() {
    let app = start(0, &[]).await;
    make_older(&app).await;
    app.send(&json!([event("small", "u", "t", TIME)])).await;
    // This API is newer than the stream, which does not take bulk yet.
    app.send(&large("before", TIME)).await;
    let context = app.jetstream().await;
    let before = context.get_stream(STREAM).await.unwrap();
    assert_eq!((before.cached_info().state.messages, before.consumer_info(CONSUMER).await.unwrap().num_pending), (2, 2));

    let url = app.nats.url(NatsUser::Admin);
    let settings = NatsSettings::from_env(&mut Environment::from_pairs([("NATS_URL", url)]));
    // Every replica does this when it starts.
    for _ in 0..2 {
        stream::ensure(&context, &settings).await.unwrap();
    }
    app.send(&large("after", TIME)).await;
    wait_until_pending(&app, 2, 1, 1).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1 + 2 * i64::try_from(LARGE).unwrap());
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}
