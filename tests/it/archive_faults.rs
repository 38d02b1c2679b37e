//! Faults of the archive: what an interrupted run leaves is finished by the next, and damage is named.

use std::path::Path;

use rollcall_tests::{App, Process, TestArchive, binary, event, stored_rows, wait_until};
use serde_json::{Value, json};

const DAYS: [&str; 3] = ["2026-03-01", "2026-03-02", "2026-03-03"];

/// Stores events of three days.
async fn store_events(app: &App, events: usize) {
    for day in DAYS {
        let events: Vec<Value> = (0..events)
            .map(|n| event(&format!("{day}-{n}"), &format!("u{}", n % 97), "t", &format!("{day}T10:00:00Z")))
            .collect();
        app.send(&Value::Array(events)).await;
    }
    app.wait_until_stored().await;
}

/// The rows that the archive has of a day.
async fn archived(archive: &TestArchive, day: &str) -> Vec<String> {
    let mut rows = archive.rows("default", day).await;
    rows.sort_unstable();
    rows
}

/// The rows that the database has of a day.
async fn stored(app: &App, day: &str) -> Vec<String> {
    let mut rows = stored_rows(&app.pool, "default", day).await;
    rows.sort_unstable();
    rows
}

/// Whether the archive has every stored row once.
async fn is_complete(app: &App, archive: &TestArchive) {
    for day in DAYS {
        assert_eq!(archived(archive, day).await, stored(app, day).await, "{day}");
        let parts = archive.manifest("default", day).await.parts.len();
        assert_eq!(archive.parts("default", day).len(), parts, "{day}: files that no manifest names");
    }
}

async fn execute(app: &App, statement: &'static str) {
    sqlx::query(statement).execute(&app.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_after_any_step_is_finished_by_the_next() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app, 50).await;
    archive.must(&app, &["archive", "run"]).await;
    // Killed before the manifest: there are parts, perhaps of other rows than the next run finds, and no manifest.
    let part = &archive.parts("default", DAYS[0])[0];
    std::fs::copy(part, part.with_file_name("part-00001-0123456789abcdef.parquet")).unwrap();
    std::fs::remove_file(archive.day("default", DAYS[0]).join("_manifest.json")).unwrap();
    // Killed before the registry was told: there is a manifest.
    execute(&app, "delete from archived_days where day <> '2026-03-03'").await;
    // Killed while later events were archived: there is a part of the next generation.
    app.send(&json!([event("late", "u1", "t", "2026-03-03T11:00:00Z")])).await;
    app.wait_until_stored().await;
    let part = &archive.parts("default", DAYS[2])[0];
    std::fs::copy(part, part.with_file_name("part-00002-0123456789abcdef.parquet")).unwrap();

    let said = archive.must(&app, &["archive", "run"]).await;
    assert!(said.contains("2 days archived, with 51 rows; 1 had nothing new"), "{said}");
    let generations = async |day: &str| archive.manifest("default", day).await.generation;
    assert_eq!([generations(DAYS[0]).await, generations(DAYS[1]).await, generations(DAYS[2]).await], [1, 1, 2]);
    assert_eq!(archived(&archive, DAYS[2]).await, stored(&app, DAYS[2]).await);
    execute(&app, "delete from archived_days where day = '2026-03-03'").await;
    assert!(archive.must(&app, &["archive", "run"]).await.contains("0 days archived"));
    archive.must(&app, &["archive", "verify"]).await;
    assert_eq!(archive.parts("default", DAYS[2]).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_ends_with_every_row_once() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app, 3_000).await;
    let mut run = Process::new("run".to_owned(), binary("rollcall"), archive.variables(&app), archive.path().to_owned())
        .with_arguments(&["archive", "run"]);
    // Each time, it is killed when one more day has a part or a manifest.
    for day in DAYS {
        for name in ["part-", "_manifest"] {
            run.start();
            wait_until("it gets there, or ends", async || {
                let folder = archive.day("default", day);
                let names = || std::fs::read_dir(&folder).ok().into_iter().flatten().flatten();
                names().any(|entry| entry.file_name().to_string_lossy().starts_with(name)).then_some(())
            })
            .await;
            run.kill();
        }
    }
    // The lock ends when PostgreSQL notices that its holder is gone.
    wait_until("a run succeeds", async || archive.rollcall(&app, &["archive", "run"]).await.succeeded.then_some(())).await;
    is_complete(&app, &archive).await;
    archive.must(&app, &["archive", "verify"]).await;
}

/// Changes one byte in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_every_file_that_is_damaged_or_missing() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app, 50).await;
    archive.must(&app, &["archive", "run"]).await;
    let part = |day: &str| archive.parts("default", day)[0].clone();
    damage(&part(DAYS[0]));
    std::fs::write(part(DAYS[1]), &std::fs::read(part(DAYS[1])).unwrap()[..100]).unwrap();
    std::fs::remove_file(archive.day("default", DAYS[2]).join("_manifest.json")).unwrap();
    let said = archive.rollcall(&app, &["archive", "verify"]).await;
    assert!(!said.succeeded && said.out.contains("0 days are as they were archived"), "{said:?}");
    for problem in [
        "2026-03-01 of default: project=default/date=2026-03-01/part-00001-",
        "its SHA-256 is another than the manifest says",
        "it has 100 bytes or more, and should have",
        "project=default/date=2026-03-03/_manifest.json is missing from the archive",
        "3 days are not as they were archived",
    ] {
        assert!(said.errors.contains(problem), "{problem}: {}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_day_does_not_stop_the_others() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app, 50).await;
    archive.must(&app, &["archive", "run"]).await;
    damage(&archive.parts("default", DAYS[0])[0]);
    // Which rows are new can only be said of a day whose files can be read.
    app.send(&Value::Array(DAYS.map(|day| event("late", "u", "t", &format!("{day}T12:00:00Z"))).to_vec())).await;
    app.wait_until_stored().await;
    let said = archive.rollcall(&app, &["archive", "run"]).await;
    assert!(!said.succeeded && said.out.contains("2 days archived, with 2 rows"), "{said:?}");
    assert!(said.errors.contains("2026-03-01 of default") && said.errors.contains("is damaged"), "{said:?}");
    assert_eq!(archive.manifest("default", DAYS[0]).await.generation, 1);
}
