//! Sessions: the rollup says what the rows say, whatever comes in which order, before and after folding.

use proptest::prelude::{Strategy, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, session_disagreements};
use rollcall_worker::bulk::{Lines, Loader};
use serde_json::{Value, json};

const HISTORIES: u32 = 8;

/// An event with one of few ids, sessions and times, so that events are sent twice, come late, and occur
/// at the same time. Users and anonymous ids of 0 are left out.
fn event() -> impl Strategy<Value = Value> {
    (0..40_u8, 0..5_u8, 0..4_u8, 0..3_u8, 0..12_u32).prop_map(|(id, session, user, anonymous, hour)| {
        let mut event = json!({
            "event_id": format!("e{id}"),
            "event_type": "t",
            "session_id": format!("s{session}"),
            "occurred_at": format!("2025-03-0{}T{:02}:00:00Z", 1 + hour / 4, hour % 4),
        });
        if user > 0 {
            event["user_id"] = json!(format!("u{user}"));
        }
        if anonymous > 0 {
            event["anonymous_id"] = json!(format!("a{anonymous}"));
        }
        event
    })
}

/// Sends the batches, some of them twice at once.
async fn send(app: &App, batches: &[Vec<Value>]) {
    for (number, batch) in batches.iter().enumerate() {
        app.send(&json!(batch)).await;
        if number % 3 == 0 {
            app.send(&json!(batch)).await;
        }
    }
    app.wait_until_stored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollup_and_rows_say_the_same_of_sessions_on_random_histories() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..HISTORIES {
        let batches = prop::collection::vec(prop::collection::vec(event(), 1..20), 2..10);
        let batches = batches.new_tree(&mut runner).unwrap().current();
        let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
        let (first, second) = batches.split_at(batches.len() / 2);
        // Nobody folds while this lock is held.
        let mut lock = app.pool.acquire().await.unwrap();
        sqlx::query("select pg_advisory_lock(7036)").execute(&mut *lock).await.unwrap();
        send(&app, first).await;
        assert_eq!(session_disagreements(&app.pool).await, [""; 0], "only deltas: {batches:?}");
        sqlx::query("select pg_advisory_unlock(7036)").execute(&mut *lock).await.unwrap();
        app.wait_until_compacted().await;
        assert_eq!(session_disagreements(&app.pool).await, [""; 0], "only base: {batches:?}");
        sqlx::query("select pg_advisory_lock(7036)").execute(&mut *lock).await.unwrap();
        send(&app, second).await;
        assert_eq!(session_disagreements(&app.pool).await, [""; 0], "both: {batches:?}");
        sqlx::query("select pg_advisory_unlock(7036)").execute(&mut *lock).await.unwrap();
        app.wait_until_compacted().await;
        assert_eq!(session_disagreements(&app.pool).await, [""; 0], "all folded: {batches:?}");
    }
}

/// Lines of events with a session each but for the last five, which have none.
fn lines(events: u32, first_session: u32) -> Lines {
    let line = |number: u32| {
        let session = if number < events - 5 { format!(r#","session":"s{}""#, first_session + number) } else { String::new() };
        let user = if number.is_multiple_of(3) { format!(r#","user":"u{number}""#) } else { r#","anonymous":"a""#.to_owned() };
        let occurred_us = 1_760_000_000_000_000 + i64::from(number % 100) * 1_000_000;
        format!(
            r#"{{"id":"e{first_session}-{number}","type":"t"{user}{session},"occurred_us":{occurred_us},"received_us":0,"properties":{{}}}}"#
        ) + "\n"
    };
    Lines::new(ProjectId::DEFAULT, (0..events).map(line).collect::<String>().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_of_a_batch_are_copied_as_rows_of_a_thousand_and_folded_once() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let loader = Loader::new(app.pool.clone());
    for (events, first_session) in [(3_005, 0), (3_005, 1_500), (900, 2_000)] {
        assert_eq!(loader.store(&lines(events, first_session)).await.unwrap(), u64::from(events));
    }
    assert_eq!(loader.store(&lines(900, 2_000)).await.unwrap(), 0);
    let rows: Vec<(i32, i32)> =
        sqlx::query_as("select sessions, cardinality(session_ids) from sessions_delta order by added_at, first_session_id")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    assert_eq!(rows, [[1_000; 2]; 6].into_iter().chain([[895; 2]]).map(<(i32, i32)>::from).collect::<Vec<_>>());
    assert_eq!(session_disagreements(&app.pool).await, [""; 0]);
    loader.compact().await.unwrap();
    let (sessions, deltas): (i64, i64) =
        sqlx::query_as("select (select count(*) from sessions), (select count(*) from sessions_delta)")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!((sessions, deltas), (4_500, 0));
    assert_eq!(session_disagreements(&app.pool).await, [""; 0]);
}
