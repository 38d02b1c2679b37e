//! The archive as a duty of workers: by setting only, by one of them at a time, and abandoned when a worker is to stop.

use rollcall_tests::{App, KEY, Process, TestArchive, binary, event, metric, stored_rows, wait_until};
use serde_json::{Value, json};
use sqlx::Connection;

const DAY: &str = "2024-03-01";

/// A worker in a process of its own, which archives into the folder of the archive with these further variables.
fn archivist(app: &App, archive: &TestArchive, further: &[(&'static str, &str)]) -> (Process, String) {
    let url = archive.path().join("archive").display().to_string();
    let variables = [&[("ARCHIVE_URL", url.as_str()), ("ARCHIVE_INTERVAL_MS", "100")], further].concat();
    let (mut worker, address) = app.process_with("worker", &variables);
    worker.start();
    (worker, address)
}

async fn store(app: &App, ids: &[&str]) {
    let at = |id: &str| event(id, &format!("of {id}"), "t", &format!("{DAY}T10:00:00Z"));
    app.send(&ids.iter().map(|id| at(id)).collect::<Value>()).await;
    app.wait_until_stored().await;
}

/// What `/pipeline` says of the archive, once it is this.
async fn wait_for_pipeline(app: &App, expected: Value) {
    wait_until("/pipeline says how far the archive is", async || {
        let (_, answer) = app.get("/pipeline").await;
        (answer["archive"] == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_archives_what_is_due_and_drops_what_is_old_enough() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store(&app, &["a", "b"]).await;
    let archive_says = |days: u64, rows: u64, bytes: u64, dropped: u64| {
        let until = if days > 0 { json!(DAY) } else { Value::Null };
        json!({"archived_until": until, "days": days, "rows": rows, "bytes": bytes, "dropped_days": dropped})
    };
    wait_for_pipeline(&app, archive_says(0, 0, 0, 0)).await;
    app.make_project("shop", "UTC").await;
    let key = app.make_key("shop", &["read"]).await.key;
    let (_, of_project) = app.admin_as(&key, reqwest::Method::GET, "/pipeline", &Value::Null).await;
    assert_eq!(of_project["archive"], Value::Null);
    let before = stored_rows(&app.pool, "default", DAY).await;

    let (mut keeping, address) = archivist(&app, &archive, &[]);
    wait_until("the day is archived", async || (metric(&address, "rollcall_archived_events_total").await? == 2.0).then_some(()))
        .await;
    let manifest = archive.manifest("default", DAY).await;
    assert_eq!(archive.rows("default", DAY).await, before);
    wait_for_pipeline(&app, archive_says(1, 2, manifest.bytes, 0)).await;
    assert_eq!(metric(&address, "rollcall_archived_bytes_total").await, Some(manifest.bytes as f64));
    // Later events become the next generation by themselves.
    store(&app, &["late"]).await;
    wait_until("they are archived", async || (metric(&address, "rollcall_archived_events_total").await? == 3.0).then_some(()))
        .await;
    wait_until("nothing waits", async || (metric(&address, "rollcall_archive_days_waiting").await? == 0.0).then_some(())).await;
    assert!(metric(&address, "rollcall_archive_last_success_timestamp_seconds").await > Some(1_700_000_000.0));
    assert_eq!(app.stored().await, 3, "nothing is dropped unless the setting says so");
    keeping.stop().await.unwrap();

    let (_dropping, address) = archivist(&app, &archive, &[("ARCHIVE_DROP_AFTER_DAYS", "30")]);
    wait_until("the rows are dropped", async || {
        (metric(&address, "rollcall_archive_dropped_events_total").await? == 3.0).then_some(())
    })
    .await;
    assert_eq!(app.stored().await, 0);
    let manifest = archive.manifest("default", DAY).await;
    wait_for_pipeline(&app, archive_says(1, 3, manifest.bytes, 1)).await;
    assert_eq!(metric(&address, "rollcall_archive_failures_total").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_all_workers_archives_and_another_takes_over_when_it_ends() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    let (mut idle, without_archive) = app.process_with("worker", &[("ARCHIVE_INTERVAL_MS", "100")]);
    idle.start();
    let mut workers: Vec<_> = (0..3).map(|_| archivist(&app, &archive, &[])).collect();
    for round in 1..=3_u32 {
        store(&app, &[&format!("event {round}")]).await;
        let first = wait_until("one of them archives", async || {
            for (index, (_, address)) in workers.iter().enumerate() {
                if metric(address, "rollcall_archived_events_total").await? > 0.0 {
                    return Some(index);
                }
            }
            None
        })
        .await;
        for (index, (_, address)) in workers.iter().enumerate() {
            let success = metric(address, "rollcall_archive_last_success_timestamp_seconds").await.unwrap();
            assert!(index == first || success == 0.0, "only one of them looks for what is due");
        }
        wait_until("the registry has it", async || {
            let rows: i64 =
                sqlx::query_scalar("select coalesce(sum(rows), 0)::bigint from archived_days").fetch_one(&app.pool).await.ok()?;
            (rows == i64::from(round)).then_some(())
        })
        .await;
        workers.remove(first).0.kill();
    }
    assert_eq!(archive.manifest("default", DAY).await.generation, 3);
    assert_eq!(metric(&without_archive, "rollcall_archived_events_total").await, Some(0.0));
    assert_eq!(metric(&without_archive, "rollcall_archive_last_success_timestamp_seconds").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_used_is_counted_and_holds_nothing_up() {
    let app = App::start_without_workers(Vec::new()).await;
    let variables = [("ARCHIVE_URL", "/dev/null/archive"), ("ARCHIVE_INTERVAL_MS", "100")];
    let (mut worker, address) = app.process_with("worker", &variables);
    worker.start();
    wait_until("failures are counted", async || (metric(&address, "rollcall_archive_failures_total").await? > 1.0).then_some(()))
        .await;
    store(&app, &["a"]).await;
    assert_eq!(app.stored().await, 1);
    worker.stop().await.unwrap();
    assert!(worker.log().contains("the archive at /dev/null/archive cannot be opened"), "{}", worker.log());
    assert!(!worker.log().contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_to_stop_abandons_a_run_and_the_next_one_goes_on() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store(&app, &["a", "b"]).await;
    // The registry cannot be written to.
    let mut holder = sqlx::PgConnection::connect(&app.database_url).await.unwrap();
    sqlx::raw_sql("begin; lock table archived_days in exclusive mode").execute(&mut holder).await.unwrap();
    let (mut worker, _) = archivist(&app, &archive, &[]);
    wait_until("the run waits for the lock", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() \
             and application_name = 'rollcall-archive' and wait_event_type = 'Lock'",
        )
        .fetch_one(&app.pool)
        .await
        .ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    worker.stop().await.unwrap();
    holder.close().await.unwrap();
    let (_next, address) = archivist(&app, &archive, &[]);
    wait_until("the next run succeeds", async || {
        (metric(&address, "rollcall_archive_last_success_timestamp_seconds").await? > 0.0).then_some(())
    })
    .await;
    assert_eq!(archive.rows("default", DAY).await, stored_rows(&app.pool, "default", DAY).await);
    archive.must(&app, &["archive", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_fetches_its_rows_outside_of_a_transaction() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    for request in 0..4 {
        let at = |n: usize| event(&format!("{request}-{n}"), &format!("u{n}"), "t", &format!("{DAY}T10:00:00Z"));
        app.send(&(0..20_000).map(at).collect::<Value>()).await;
    }
    app.wait_until_stored().await;
    let mut export = Process::new("export".to_owned(), binary("rollcall"), archive.variables(&app), archive.path().to_owned())
        .with_arguments(&["archive", "run", "--duty-cycle", "1"]);
    export.start();
    wait_until("it has fetched some rows and is in no transaction", async || {
        let resting = "select count(*) from pg_stat_activity where datname = current_database() \
                       and application_name = 'rollcall-archive' \
                       and query ilike '%fetch 200 from archived_rows%' and state = 'idle'";
        let count: i64 = sqlx::query_scalar(resting).fetch_one(&app.pool).await.unwrap();
        (count > 0).then_some(())
    })
    .await;
}
