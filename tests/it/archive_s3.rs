//! The archive in a bucket: the whole way over a server that speaks S3, and what happens when it is away.

use std::sync::Arc;

use rollcall_stack::{S3Server, Scratch};
use rollcall_tests::{App, TestArchive, event, stored_rows};
use serde_json::{Value, json};
use tokio::sync::Mutex;

const DAY: &str = "2024-03-01";

/// A server of the test's own, and the folder that it is in.
struct Bucket {
    server: Arc<Mutex<S3Server>>,
    _folder: Scratch,
}

impl Bucket {
    async fn start() -> Self {
        let folder = Scratch::make().unwrap();
        let path = folder.path().join("s3");
        let start = move || {
            let server = S3Server::start(&path).unwrap();
            server.make_bucket("events").unwrap();
            server
        };
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        Self { server: Arc::new(Mutex::new(server)), _folder: folder }
    }

    /// An archive in a folder of a bucket.
    async fn archive(&self, password: Option<&str>) -> TestArchive {
        let server = self.server.lock().await;
        TestArchive::with(vec![
            ("ARCHIVE_URL", "s3://events/of/rollcall".to_owned()),
            ("AWS_ENDPOINT_URL", server.url()),
            ("AWS_ACCESS_KEY_ID", server.user().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", password.unwrap_or(server.password()).to_owned()),
        ])
    }
}

/// Stores events whose file is larger than one piece of an upload.
async fn store_events(app: &App) {
    for batch in 0..4_u64 {
        let events = (0..5_000_u64).map(|n| {
            // Digits that do not compress well.
            let noise: String = (0..72)
                .map(|k| (n + 5_000 * batch).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (k * 0x1234_5677)).to_string())
                .collect();
            let mut event = event(&format!("{batch}-{n}"), &format!("u{}", n % 997), "t", "2024-03-01T10:00:00Z");
            event["properties"] = json!({ "noise": noise });
            event
        });
        app.send(&Value::Array(events.collect())).await;
    }
    app.wait_until_stored().await;
}

async fn sorted(rows: Vec<String>) -> Vec<String> {
    let mut rows = rows;
    rows.sort_unstable();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_goes_to_a_bucket_and_comes_back() {
    let (app, bucket) = (App::start().await, Bucket::start().await);
    let archive = bucket.archive(None).await;
    store_events(&app).await;
    let before = sorted(stored_rows(&app.pool, "default", DAY).await).await;
    let dau = app.ask("/stats/dau?from=2024-03-01&to=2024-03-01").await;
    archive.must(&app, &["archive", "run"]).await;
    let manifest = archive.manifest("default", DAY).await;
    assert!(manifest.parts.len() == 1 && manifest.bytes > 8 * 1024 * 1024, "{manifest:?}");
    assert_eq!(sorted(archive.rows("default", DAY).await).await, before);
    archive.must(&app, &["archive", "verify"]).await;
    archive.must(&app, &["archive", "drop", "--older-than-days", "30"]).await;
    assert_eq!(app.stored().await, 0);
    // Late events, and the day again as the next generation.
    app.send(&json!([event("late", "u1", "t", "2024-03-01T11:00:00Z")])).await;
    app.wait_until_stored().await;
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &["restore"]).await;
    assert_eq!(app.stored().await, 20_001);
    let after = stored_rows(&app.pool, "default", DAY).await;
    assert_eq!(sorted(after.into_iter().filter(|row| !row.starts_with("late ")).collect()).await, before);
    assert_eq!(app.ask("/stats/dau?from=2024-03-01&to=2024-03-01").await, dau);
    app.make_project("copy", "UTC").await;
    let replay = ["replay", "--from", DAY, "--to", DAY, "--into", "copy", "--events-per-second", "1000000"];
    assert!(archive.must(&app, &replay).await.contains("20001 events of 1 days sent into copy"));
    app.wait_until_stored().await;
    let copied: i64 =
        sqlx::query_scalar("select count(*) from event_log where project = 'copy'").fetch_one(&app.pool).await.unwrap();
    assert_eq!(copied, 20_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_fail_with_a_reason_and_a_server_that_comes_back_is_waited_for() {
    let (app, bucket) = (App::start().await, Bucket::start().await);
    store_events(&app).await;
    let said = bucket.archive(Some("hush-hush")).await.rollcall(&app, &["archive", "run"]).await;
    assert!(!said.succeeded && said.errors.contains("the store of the archive did not read or write"), "{said:?}");
    assert!(!said.errors.contains("hush-hush"), "{said:?}");

    let archive = bucket.archive(None).await;
    bucket.server.lock().await.kill();
    let server = bucket.server.clone();
    let back = tokio::task::spawn_blocking(move || server.blocking_lock().restart());
    archive.must(&app, &["archive", "run"]).await;
    back.await.unwrap().unwrap();
    assert_eq!(archive.manifest("default", DAY).await.rows, 20_000);
}
