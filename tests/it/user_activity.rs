//! User activity: the rollup says what the events say, whatever comes in which order, before and after
//! folding.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::{Strategy, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use roaring::RoaringBitmap;
use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, user_disagreements};
use rollcall_worker::bulk::{Lines, Loader};
use serde_json::{Value, json};

const HISTORIES: u32 = 6;
/// Different events of a history.
const EVENTS: usize = 40;
/// Folding active users, sessions and users.
const LOCKS: [&str; 2] = [
    "select pg_advisory_lock(7031), pg_advisory_lock(7036), pg_advisory_lock(7037)",
    "select pg_advisory_unlock(7031), pg_advisory_unlock(7036), pg_advisory_unlock(7037)",
];

/// What is known of a user: times of events, and nothing more is needed.
type Model = BTreeMap<String, Vec<Timestamp>>;

/// Who, where and when. There are few of each, so that users have several events and events several times.
fn event() -> impl Strategy<Value = (u8, u8, u32)> {
    (0..5_u8, 0..4_u8, 0..12_u32)
}

fn event_of(history: u32, id: usize, (user, session, hour): (u8, u8, u32)) -> Value {
    let mut event = json!({
        "event_id": format!("h{history}-{id}"),
        "event_type": "t",
        "user_id": format!("h{history}/{user}"),
        "occurred_at": format!("2025-03-0{}T{:02}:00:00Z", 1 + hour / 4, hour % 4),
    });
    if session > 0 {
        event["session_id"] = json!(format!("h{history}-s{session}"));
    }
    event
}

/// Sends the batches, some of them twice at once, and adds their events to the model.
async fn send(app: &App, model: &mut BTreeMap<String, Value>, batches: &[Vec<Value>]) {
    for (number, batch) in batches.iter().enumerate() {
        model.extend(batch.iter().map(|event| (event["event_id"].to_string(), event.clone())));
        app.send(&json!(batch)).await;
        if number % 3 == 0 {
            app.send(&json!(batch)).await;
        }
    }
    app.wait_until_stored().await;
}

fn times(events: &BTreeMap<String, Value>) -> Model {
    let mut times = Model::new();
    for event in events.values() {
        let at = event["occurred_at"].as_str().unwrap().parse().unwrap();
        times.entry(event["user_id"].as_str().unwrap().to_owned()).or_default().push(at);
    }
    times
}

/// Every answer about the users of a history is that of the model.
async fn assert_answers(app: &App, history: u32, events: &BTreeMap<String, Value>) {
    let mut list = Vec::new();
    for (id, times) in times(events) {
        let days: BTreeSet<Date> = times.iter().map(|at| at.to_zoned(TimeZone::UTC).date()).collect();
        let mut user = json!({"user_id": id, "first_seen": times.iter().min(), "last_seen": times.iter().max()});
        list.push(user.clone());
        let path = id.replace('/', "%2F");
        let sessions = app.get(&format!("/sessions?user_id={path}&limit=1000")).await.1;
        user["events"] = json!(times.len());
        user["days_active"] = json!(days.len());
        user["sessions"] = json!(sessions["data"].as_array().unwrap().len());
        assert_eq!(app.get(&format!("/users/{path}")).await, (200, user), "{events:?}");
    }
    let answer = app.get(&format!("/users?query=h{history}%2F")).await;
    assert_eq!(answer, (200, json!({"data": list, "next_cursor": null})), "{events:?}");
    assert_eq!(user_disagreements(&app.pool).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_users_are_those_of_the_model_on_random_histories() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
    // Nobody folds while these locks are held.
    let mut locks = app.pool.acquire().await.unwrap();
    let [lock, unlock] = LOCKS;
    for history in 0..HISTORIES {
        let events = prop::collection::vec(event(), EVENTS).new_tree(&mut runner).unwrap().current();
        let batches = prop::collection::vec(prop::collection::vec(0..EVENTS, 1..20), 2..10);
        let batches = batches.new_tree(&mut runner).unwrap().current();
        let batches: Vec<Vec<Value>> =
            batches.iter().map(|batch| batch.iter().map(|&id| event_of(history, id, events[id])).collect()).collect();
        let mut sent = BTreeMap::new();
        for part in batches.chunks(batches.len().div_ceil(2)) {
            sqlx::query(lock).execute(&mut *locks).await.unwrap();
            send(&app, &mut sent, part).await;
            assert_answers(&app, history, &sent).await;
            sqlx::query(unlock).execute(&mut *locks).await.unwrap();
            app.wait_until_compacted().await;
            assert_answers(&app, history, &sent).await;
        }
    }
}

/// Lines of events, each of another user.
fn lines(events: u32, first_user: u32) -> Lines {
    let line = |number: u32| {
        let user = first_user + number;
        let occurred_us = 1_760_000_000_000_000 + i64::from(number % 100) * 1_000_000;
        format!(
            r#"{{"id":"e{first_user}-{number}","type":"t","user":"u{user}","occurred_us":{occurred_us},"received_us":0,"properties":{{}}}}"#
        ) + "\n"
    };
    Lines::new(ProjectId::DEFAULT, (0..events).map(line).collect::<String>().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_of_a_batch_are_copied_as_rows_of_a_thousand_and_folded_once() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let loader = Loader::new(app.pool.clone());
    for (events, first_user) in [(3_005, 0), (3_000, 1_500), (900, 2_000)] {
        assert_eq!(loader.store(&lines(events, first_user)).await.unwrap(), u64::from(events));
    }
    assert_eq!(loader.store(&lines(900, 2_000)).await.unwrap(), 0);
    let rows: Vec<(i32, bool)> = sqlx::query_as(
        "select users, ords = array(select ord from unnest(ords) as ord order by ord) and users = cardinality(ords)
         from user_activity_delta
         order by users desc",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(rows, [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 900, 5].map(|users| (users, true)));
    assert_eq!(user_disagreements(&app.pool).await, [""; 0]);
    loader.compact().await.unwrap();
    let counts = "select (select count(*) from user_activity), (select count(*) from user_activity_delta)";
    let (users, deltas): (i64, i64) = sqlx::query_as(counts).fetch_one(&app.pool).await.unwrap();
    assert_eq!((users, deltas), (4_500, 0));
    assert_eq!(user_disagreements(&app.pool).await, [""; 0]);
}

/// Numbers in one container each: few of them, many of them, and runs.
fn parts(container: u32) -> [RoaringBitmap; 4] {
    let begin = container << 16;
    [
        RoaringBitmap::from_iter((0..300).map(|number| begin + number * 211)),
        RoaringBitmap::from_iter((0..30_000).map(|number| begin + number * 2)),
        RoaringBitmap::from_iter((begin + 5..begin + 60_000).chain([begin + 65_535])),
        RoaringBitmap::from_iter([begin, begin + 65_535]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_found_in_a_bitmap_of_any_form() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    // One, three, four and more containers, of every kind, with gaps; with and without runs.
    for containers in [&[][..], &[0], &[3], &[0, 1, 7], &[0, 1, 2, 3], &[1, 2, 4, 5, 6, 9, 30_000]] {
        for first_part in 0..4 {
            let numbered = containers.iter().zip(first_part..);
            let mut bitmap: RoaringBitmap =
                numbered.fold(RoaringBitmap::new(), |union, (&container, part)| union | &parts(container)[part % 4]);
            let edges = containers
                .iter()
                .flat_map(|container| [0, 1, 4, 5, 6, 211, 59_998, 59_999, 60_000, 65_535].map(|low| (container << 16) + low));
            let numbers: Vec<i32> = edges.chain([0, 65_536, 8 << 16, i32::MAX as u32]).map(u32::cast_signed).collect();
            for is_optimized in [false, true] {
                if is_optimized {
                    bitmap.optimize();
                }
                let mut bytes = Vec::new();
                bitmap.serialize_into(&mut bytes).unwrap();
                let found: Vec<bool> = sqlx::query_scalar("select roaring_contains($1, number) from unnest($2) as number")
                    .bind(&bytes)
                    .bind(&numbers)
                    .fetch_all(&app.pool)
                    .await
                    .unwrap();
                let expected: Vec<bool> = numbers.iter().map(|number| bitmap.contains(number.cast_unsigned())).collect();
                assert_eq!(found, expected, "{containers:?} from {first_part}, optimized: {is_optimized}");
            }
        }
    }
}
