//! `rollcall replay`: archived events go through the API again, and are what they were.

use reqwest::Method;
use rollcall_tests::{App, TestArchive, event};
use serde_json::{Value, json};

const ARGUMENTS: [&str; 5] = ["replay", "--from", "2026-03-01", "--to", "2026-03-02"];

/// Archives events of two days, some without a time.
async fn archived(app: &App, archive: &TestArchive) {
    let events: Vec<Value> = (0..300)
        .map(|n| {
            let (day, name) = (1 + n % 2, ["login", "view", "buy"][n % 3]);
            event(
                &format!("e{n}"),
                &format!("u{}", n % 41),
                name,
                &format!("2026-03-0{day}T{:02}:00:00.00000{}Z", n % 24, n % 10),
            )
        })
        .collect();
    app.send(&Value::Array(events)).await;
    let key = format!("resend-{}", uuid::Builder::from_unix_timestamp_millis(1_772_359_200_123, &[0; 10]).into_uuid());
    let undated = json!([
        {"event_id": "undated-1", "event_type": "login", "user_id": "u1"},
        {"event_id": "e0", "event_type": "login", "user_id": "u0"},
    ]);
    assert_eq!(app.post("/events", &[("Idempotency-Key", &key)], undated.to_string()).await.0, 202);
    app.wait_until_stored().await;
    archive.must(app, &["archive", "run"]).await;
    app.make_project("copy", "UTC").await;
    app.add_key("copy", "copy-key", &["read"]).await;
}

async fn replay(app: &App, archive: &TestArchive, arguments: &[&str]) -> String {
    let said = archive.must(app, &[&ARGUMENTS[..], &["--into", "copy"], arguments].concat()).await;
    app.wait_until_stored().await;
    said
}

/// The answer to a question, in the project `default` and in the copy.
async fn answers(app: &App, path: &str) -> [Value; 2] {
    let copy = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", "copy-key").send().await.unwrap();
    [app.get(path).await.1, copy.json().await.unwrap()]
}

async fn count(app: &App, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&app.pool).await.unwrap()
}

const COPIED: &str = "select count(*) from event_log where project = 'copy'";

#[tokio::test(flavor = "multi_thread")]
async fn replayed_events_give_the_same_answers_and_are_stored_once() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    archived(&app, &archive).await;
    let said = replay(&app, &archive, &["--dry-run"]).await;
    assert!(said.contains("302 events of 2 days would be sent into copy"), "{said}");
    assert_eq!(count(&app, COPIED).await, 0);
    for _ in 0..2 {
        let said = replay(&app, &archive, &[]).await;
        assert!(said.contains("302 events of 2 days sent into copy"), "{said}");
        assert_eq!(count(&app, COPIED).await, 302);
    }
    for path in [
        "/stats/dau?from=2026-03-01&to=2026-03-02",
        "/stats/top-events?from=2026-03-01&to=2026-03-02",
        "/stats/retention?start_date=2026-03-01&window_type=day&windows=2",
    ] {
        let [original, copy] = answers(&app, path).await;
        assert_eq!(original, copy, "{path}");
    }
    let differences = "select count(*) from (
            select event_id, event_type, user_id, occurred_at, properties::text from event_log where project = 'default'
            except all
            select event_id, event_type, user_id, occurred_at, properties::text from event_log where project = 'copy'
        ) different";
    assert_eq!(count(&app, differences).await, 0);
    // Undated identities stay undated.
    let undated = "select count(*) from event_ids where day = '0001-01-01' group by project_id order by project_id";
    let undated: Vec<i64> = sqlx::query_scalar(undated).fetch_all(&app.pool).await.unwrap();
    assert_eq!(undated, [2, 2]);
    // The keys of the replays are revoked.
    let (_, keys) = app.admin(Method::GET, "/admin/keys?project=copy", &Value::Null).await;
    let made: Vec<_> = keys["data"].as_array().unwrap().iter().filter(|key| key["name"] == "rollcall replay").collect();
    assert!(made.len() == 2 && made.iter().all(|key| !key["revoked_at"].is_null()), "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_chosen_events_are_replayed() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    archived(&app, &archive).await;
    let said = replay(&app, &archive, &["--user", "u1", "--event-type", "login", "--event-type", "buy"]).await;
    let chosen = "select count(*) from event_log where project = 'default' and user_id = 'u1' and event_type in ('login', 'buy')";
    let chosen = count(&app, chosen).await;
    assert!(chosen > 0 && said.contains(&format!("{chosen} events of 2 days sent")), "{said}");
    assert_eq!(count(&app, COPIED).await, chosen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_cannot_be_meant_is_refused() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    archived(&app, &archive).await;
    for (arguments, problem) in [
        (&["replay", "--from", "2026-03-02", "--to", "2026-03-01", "--into", "copy"][..], "--from 2026-03-02 is after --to"),
        (&["replay", "--from", "2025-01-01", "--to", "2025-01-02", "--into", "copy"], "no day of default from 2025-01-01"),
        (&["replay", "--from", "2026-03-01", "--to", "2026-03-02", "--into", "nowhere"], "no project of this name"),
    ] {
        let said = archive.rollcall(&app, arguments).await;
        assert!(!said.succeeded && said.errors.contains(problem), "{said:?}");
    }
    // A damaged file is named, and sending the rest can go on once it is repaired.
    let part = &archive.parts("default", "2026-03-02")[0];
    let good = std::fs::read(part).unwrap();
    std::fs::write(part, &good[..good.len() - 1]).unwrap();
    let said = archive.rollcall(&app, &[&ARGUMENTS[..], &["--into", "copy"]].concat()).await;
    assert!(
        !said.succeeded && said.errors.contains("date=2026-03-02/part-00001-") && said.errors.contains("is damaged"),
        "{said:?}"
    );
    std::fs::write(part, good).unwrap();
    replay(&app, &archive, &[]).await;
    assert_eq!(count(&app, COPIED).await, 302);
}
