//! The archive: what is in it is what was stored, and nothing is in it twice.

use reqwest::Method;
use rollcall_tests::{App, KEY, TestArchive, event, stored_rows};
use serde_json::{Value, json};
use sqlx::Connection;

const DAY: &str = "2026-03-01";

/// Events of one day with all that events can have, of three kinds of people.
fn day_of_events() -> Value {
    json!([
        {"event_id": "e-1", "event_type": "login", "user_id": "zoe", "occurred_at": "2026-03-01T00:00:00Z",
         "account_id": "acc", "session_id": "s1", "properties": {"n": 1}},
        {"event_id": "7B0E4A52-6A0F-4C43-9D0B-1F3F5F0F7A11", "event_type": "käse 😀", "user_id": "zoe",
         "occurred_at": "2026-03-01T23:59:59.999999Z"},
        {"event_type": "login", "anonymous_id": "Émile", "occurred_at": "2026-03-01T12:00:00+02:00"},
        {"event_type": "view", "session_id": "adam", "occurred_at": "2026-03-01T11:00:00Z"},
        {"event_id": "e-2", "event_type": "view", "user_id": "Bob", "occurred_at": "2026-03-01T11:00:00.000001Z"},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_rows_are_the_stored_ones_sorted_by_person_and_time() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    app.send(&day_of_events()).await;
    // What the client sends stays as it is, byte for byte.
    let body = r#"{"event_id":"e-3","event_type":"t","user_id":"Bob","occurred_at":"2026-03-01T00:00:00Z","properties":{ "b":1.50,"a":{"x" : "\u00e4"},"b":1e300 }}"#;
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    app.send(&json!([event("other-day", "u", "t", "2026-02-28T23:59:59Z")])).await;
    app.make_project("shop", "Asia/Tokyo").await;
    app.add_key("shop", "shop-key", &["ingest", "read"]).await;
    let other = json!([event("e-1", "u", "only in shop", "2026-03-01T20:00:00Z")]);
    assert_eq!(app.admin_as("shop-key", Method::POST, "/events", &other).await.0, 202);
    app.wait_until_stored().await;

    let said = archive.must(&app, &["archive", "run"]).await;
    assert!(said.contains("3 days archived, with 8 rows; 0 had nothing new"), "{said}");
    for (project, day, rows) in [("default", DAY, 6), ("default", "2026-02-28", 1), ("shop", DAY, 1)] {
        let stored = stored_rows(&app.pool, project, day).await;
        assert_eq!(stored.len(), rows, "{project} {day}");
        assert_eq!(archive.rows(project, day).await, stored, "{project} {day}");
    }
    let people: Vec<_> = archive.rows("default", DAY).await.iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!([&people[0], &people[1]], ["e-3", "e-2"]);
    let verified = archive.must(&app, &["archive", "verify"]).await;
    assert!(verified.contains("3 days are as they were archived, with 8 rows"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_events_become_the_next_generation_and_nothing_is_archived_twice() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    app.send(&day_of_events()).await;
    app.wait_until_stored().await;
    archive.must(&app, &["archive", "run"]).await;
    let first = archive.manifest("default", DAY).await;
    let said = archive.must(&app, &["archive", "run"]).await;
    assert!(said.contains("0 days archived, with 0 rows; 1 had nothing new"), "{said}");
    assert_eq!(archive.manifest("default", DAY).await, first);

    // One of them again, and a new one.
    app.send(&json!([event("e-2", "Bob", "view", "2026-03-01T01:00:00Z"), event("late", "Bob", "t", "2026-03-01T02:00:00Z")]))
        .await;
    app.wait_until_stored().await;
    let said = archive.must(&app, &["archive", "run"]).await;
    assert!(said.contains("1 rows archived, generation 2"), "{said}");
    let second = archive.manifest("default", DAY).await;
    assert_eq!((first.generation, first.rows, second.generation, second.rows), (1, 5, 2, 6));
    assert_eq!(second.parts[..1], first.parts[..]);
    assert_eq!(second.parts[1].generation, 2);
    let (mut archived, mut stored) = (archive.rows("default", DAY).await, stored_rows(&app.pool, "default", DAY).await);
    archived.sort_unstable();
    stored.sort_unstable();
    assert_eq!(archived, stored);
    let listed: Value = serde_json::from_str(&archive.must(&app, &["archive", "list", "--json"]).await).unwrap();
    assert_eq!([&listed["generation"], &listed["rows"], &listed["in_database"]], [&json!(2), &json!(6), &json!(true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_selected_days_that_are_over_are_archived() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    app.send(&json!([
        event("1", "u", "t", "2026-03-01T10:00:00Z"),
        event("2", "u", "t", "2026-03-02T10:00:00Z"),
        event("3", "u", "t", "2026-03-03T10:00:00Z"),
        {"event_type": "t", "user_id": "u"},
    ]))
    .await;
    app.wait_until_stored().await;
    let days = async |arguments: &[&str]| {
        archive.must(&app, &[&["archive", "run"], arguments].concat()).await;
        archive.must(&app, &["archive", "list"]).await.lines().count() - 1
    };
    let said = archive.rollcall(&app, &["archive", "run", "--project", "none"]).await;
    assert!(!said.succeeded && said.errors.contains("there is no project none"), "{said:?}");
    assert_eq!(days(&["--to", "2026-02-28"]).await, 0);
    assert_eq!(days(&["--from", "2026-03-02", "--to", "2026-03-02"]).await, 1);
    assert_eq!(days(&["--to", "2026-03-02"]).await, 2);
    // Today is not over.
    assert_eq!(days(&[]).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_without_a_time_are_marked() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    // A batch that was first received in the past, and is sent again.
    let key = format!("resend-{}", uuid::Builder::from_unix_timestamp_millis(1_772_359_200_123, &[0; 10]).into_uuid());
    let undated = json!([{"event_id": "x", "event_type": "t", "user_id": "u"}, {"event_type": "made", "user_id": "u"}]);
    let (status, answer) = app.post("/events", &[("Idempotency-Key", &key)], undated.to_string()).await;
    assert_eq!(status, 202, "{answer}");
    // The same id with a time, on the same day, is another event; and so is one on the next day.
    app.send(&json!([event("x", "u", "t", "2026-03-01T10:00:00.123Z"), event("x", "u", "t", "2026-03-02T10:00:00Z")])).await;
    app.wait_until_stored().await;
    archive.must(&app, &["archive", "run"]).await;
    let marked = async |date: &str| -> Vec<(String, bool)> {
        let (store, manifest) = (archive.store(), archive.manifest("default", date).await);
        let file = store.fetch(&manifest, &manifest.parts[0]).await.unwrap();
        let group = rollcall_archive::PartReader::open(file).unwrap().next_group().unwrap().unwrap();
        let mut marked: Vec<_> =
            group.rows().map(|row| row.unwrap()).map(|row| (row.event_type.to_owned() + row.event_id, row.undated)).collect();
        marked.retain(|(name, _)| !name.starts_with("made"));
        marked.sort();
        marked
    };
    assert_eq!(marked(DAY).await, [("tx".to_owned(), false), ("tx".to_owned(), true)]);
    assert_eq!(marked("2026-03-02").await, [("tx".to_owned(), false)]);
    // Both are known, so a second run adds neither.
    app.send(&json!([event("late", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let said = archive.must(&app, &["archive", "run"]).await;
    assert!(said.contains("1 rows archived, generation 2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_works_on_the_archive() {
    let (app, archive) = (App::start_without_workers(Vec::new()).await, TestArchive::in_folder());
    let mut holder = sqlx::PgConnection::connect(&app.database_url).await.unwrap();
    sqlx::query("select pg_advisory_lock(7041)").execute(&mut holder).await.unwrap();
    for command in [&["archive", "run"][..], &["archive", "drop", "--older-than-days", "1"], &["restore"]] {
        let said = archive.rollcall(&app, command).await;
        assert!(!said.succeeded && said.errors.contains("another process is at work on the archive"), "{said:?}");
    }
    // Reading needs no lock.
    archive.must(&app, &["archive", "list"]).await;
    archive.must(&app, &["archive", "verify"]).await;
    holder.close().await.unwrap();
    archive.must(&app, &["archive", "run"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_cannot_be_used_is_named() {
    let app = App::start_without_workers(Vec::new()).await;
    for (url, problem) in [
        ("gs://bucket", "ARCHIVE_URL=gs://bucket: must be a folder, file:///folder or s3://bucket/folder"),
        ("/proc/nowhere", "the archive at /proc/nowhere cannot be opened"),
    ] {
        let archive = TestArchive::with(vec![("ARCHIVE_URL", url.to_owned())]);
        let said = archive.rollcall(&app, &["archive", "run"]).await;
        assert!(!said.succeeded && said.errors.contains(problem), "{said:?}");
        assert!(!said.errors.contains(KEY));
    }
}
