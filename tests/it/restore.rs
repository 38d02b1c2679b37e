//! `rollcall restore`: rows that were dropped come back once, or not at all.

use rollcall_tests::{App, TestArchive, event, stored_rows};
use serde_json::{Value, json};

const DAYS: [&str; 2] = ["2024-03-01", "2024-03-02"];

/// Stores events, archives them and drops their rows; returns the rows that were there.
async fn dropped(app: &App, archive: &TestArchive) -> [Vec<String>; 2] {
    for day in DAYS {
        let events: Vec<Value> = (0..200)
            .map(|n| {
                let mut event =
                    event(&format!("{day}-{n}"), &format!("u{}", n % 37), "t", &format!("{day}T10:{:02}:00Z", n % 60));
                event["properties"] = json!({"n": n, "text": "ä\u{1f600}"});
                event
            })
            .collect();
        app.send(&Value::Array(events)).await;
    }
    app.send(&json!([{"event_id": "7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11", "event_type": "other", "session_id": "s",
                      "account_id": "a", "occurred_at": "2024-03-01T23:59:59.999999Z"}]))
        .await;
    app.wait_until_stored().await;
    let rows = rows(app).await;
    archive.must(app, &["archive", "run"]).await;
    archive.must(app, &["archive", "drop", "--older-than-days", "30"]).await;
    assert_eq!(app.stored().await, 0);
    rows
}

async fn rows(app: &App) -> [Vec<String>; 2] {
    [stored_rows(&app.pool, "default", DAYS[0]).await, stored_rows(&app.pool, "default", DAYS[1]).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_rows_are_what_they_were_and_are_restored_once() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    let before = dropped(&app, &archive).await;
    let said = archive.must(&app, &["restore", "--dry-run"]).await;
    assert!(said.contains("2 days would be restored, with 401 rows"), "{said}");
    assert_eq!(app.stored().await, 0);
    let said = archive.must(&app, &["restore", "--from", DAYS[1]]).await;
    assert!(said.contains("1 days restored, with 200 rows"), "{said}");
    let said = archive.must(&app, &["restore"]).await;
    assert!(said.contains("1 days restored, with 201 rows"), "{said}");
    assert!(archive.must(&app, &["restore"]).await.contains("0 days restored, with 0 rows"));
    assert_eq!(rows(&app).await, before);
    // Numbers were not given anew, so rows and rollups agree.
    app.ask("/stats/dau?from=2024-03-01&to=2024-03-02").await;
    app.ask("/stats/top-events?from=2024-03-01&to=2024-03-02").await;
    assert!(archive.must(&app, &["archive", "run"]).await.contains("0 days archived"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_came_after_the_drop_are_not_doubled() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    let before = dropped(&app, &archive).await;
    // One of the events again, and a late one, which is archived too.
    app.send(&json!([event("2024-03-01-7", "u", "t", "2024-03-01T10:00:00Z"), event("late", "u1", "t", "2024-03-01T11:00:00Z")]))
        .await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    assert!(archive.must(&app, &["archive", "run"]).await.contains("1 rows archived, generation 2"));
    archive.must(&app, &["restore"]).await;
    assert_eq!(app.stored().await, 402);
    // Dropped again, all of them come back.
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &["archive", "drop", "--older-than-days", "30"]).await;
    assert_eq!(app.stored().await, 0);
    archive.must(&app, &["restore"]).await;
    let after = rows(&app).await;
    assert_eq!([after[0].len(), after[1].len()], [202, 200]);
    assert!(before[0].iter().all(|row| after[0].contains(row)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_with_a_damaged_or_missing_file_is_named_and_not_touched() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    dropped(&app, &archive).await;
    let part = archive.parts("default", DAYS[0])[0].clone();
    let good = std::fs::read(&part).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    for (content, problem) in [(Some(bad), "its SHA-256 is another"), (None, "is missing from the archive")] {
        match content {
            Some(content) => std::fs::write(&part, content).unwrap(),
            None => std::fs::remove_file(&part).unwrap(),
        }
        for command in [&["restore", "--dry-run"][..], &["restore"]] {
            let said = archive.rollcall(&app, command).await;
            assert!(!said.succeeded && said.errors.contains(problem), "{said:?}");
            assert!(said.errors.contains("2024-03-01 of default"), "{said:?}");
        }
        // The other day came back.
        assert_eq!(app.stored().await, 200);
    }
    std::fs::write(&part, good).unwrap();
    archive.must(&app, &["restore"]).await;
    assert_eq!(app.stored().await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_without_a_number_get_a_new_one() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    let before = dropped(&app, &archive).await;
    for table in ["delete from users where actor = 'u1'", "delete from event_types where name = 'other'"] {
        sqlx::query(table).execute(&app.pool).await.unwrap();
    }
    archive.must(&app, &["restore"]).await;
    assert_eq!(rows(&app).await, before);
}
