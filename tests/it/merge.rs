//! Months: the partitions of days that are over become one while events come in, and nothing is lost, doubled or held up.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, Process, event, wait_until};
use rollcall_worker::bulk::{Lines, Loader};
use rollcall_worker::merge_months;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

const FROM: Date = date(2026, 6, 1);
const TO: Date = date(2026, 7, 1);

/// The partitions of a table with days of June 2026, and how many of them note new rows.
const PARTITIONS: &str = "
    select c.relname::text, exists (select from pg_trigger t where t.tgrelid = c.oid)
    from pg_inherits h
    join pg_class c on c.oid = h.inhrelid
    where h.inhparent = to_regclass($1) and c.relname like '%\\_202606__\\_%'
    order by c.relname";

/// Tables that a merge has made or taken out, and rows that came during one.
const LEFTOVERS: &str = "
    select relname::text from pg_class where relkind = 'r' and relname ~ '_(merging|merged)$'
    union all
    select client_event_id from events_late
    union all
    select event_id::text from event_ids_late";

/// The names and types of the columns of a table.
const COLUMNS: &str = "select string_agg(attname || ' ' || atttypid::regtype, ', ' order by attnum) from pg_attribute \
                       where attrelid = to_regclass($1) and attnum > 0 and not attisdropped";

async fn run(pool: &PgPool, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.unwrap();
}

async fn partitions(pool: &PgPool, table: &str) -> Vec<(String, bool)> {
    sqlx::query_as(PARTITIONS).bind(table).fetch_all(pool).await.unwrap()
}

async fn leftovers(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(LEFTOVERS).fetch_all(pool).await.unwrap()
}

/// Whether each table has one partition for June, and nothing else is left.
async fn is_merged(pool: &PgPool) -> bool {
    for table in ["events", "event_ids"] {
        if partitions(pool, table).await != [(format!("{table}_20260601_20260701"), false)] {
            return false;
        }
    }
    leftovers(pool).await.is_empty()
}

/// A service without workers whose June 2026 is in daily partitions, as if it had run at that time.
async fn app_with_days() -> App {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    for table in ["events", "event_ids"] {
        run(&app.pool, format!("drop table {table}_20260601_20260701")).await;
        for day in FROM.series(1.day()).take_while(|day| *day < TO) {
            let next = day.tomorrow().unwrap();
            let name = format!("{table}_{}_{}", day.strftime("%Y%m%d"), next.strftime("%Y%m%d"));
            run(&app.pool, format!("create table {name} partition of {table} for values from ('{day}') to ('{next}')")).await;
        }
    }
    app
}

/// Stores events of the whole month, by `users` people in turn.
async fn load(app: &App, events: i64, users: i64) {
    let start = FROM.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
    let line = |n: i64| {
        let at = start + n * (30 * 86_400_000_000 / events);
        format!(
            r#"{{"id":"e{n}","type":"t","user":"u{}","occurred_us":{at},"received_us":{at},"properties":{{"n":{n}}}}}"#,
            n % users
        ) + "\n"
    };
    let lines: String = (0..events).map(line).collect();
    let stored = Loader::new(app.pool.clone()).store(&Lines::new(ProjectId::DEFAULT, lines.into_bytes())).await.unwrap();
    assert_eq!(stored, events.unsigned_abs());
}

/// Sends events of every day of June, each with an id of its own, until told to stop; returns how many.
async fn send_late(app: &App, stop: &tokio_util::sync::CancellationToken) -> usize {
    let mut sent = 0;
    while !stop.is_cancelled() {
        let late = (1..=30).map(|day| event(&format!("late-{sent}-{day}"), "u1", "late", &format!("2026-06-{day:02}T12:00:00Z")));
        app.send(&Value::Array(late.collect())).await;
        sent += 30;
    }
    sent
}

/// The ids of all rows, each of which must be there once.
async fn ids(pool: &PgPool) -> BTreeSet<String> {
    let ids: Vec<String> = sqlx::query_scalar("select client_event_id from events").fetch_all(pool).await.unwrap();
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(distinct.len(), ids.len(), "no row is there twice");
    distinct
}

#[tokio::test(flavor = "multi_thread")]
async fn days_become_one_partition_while_events_of_these_days_come_in() {
    let app = app_with_days().await;
    load(&app, 3_000, 50).await;
    let timeline = app.get("/users/u7/events?limit=1000").await.1;
    let dau = app.get("/stats/dau?from=2026-06-01&to=2026-06-30&source=events").await.1;
    let before = [&timeline, &dau];
    // A worker that stores, but is told nothing of the time: this process merges.
    let (mut worker, url) = app.process("worker");
    let stop = tokio_util::sync::CancellationToken::new();
    // Somebody reads for long. The swap must wait for that without making anybody else wait.
    let mut reader = app.pool.begin().await.unwrap();
    sqlx::query("select count(*) from events").execute(&mut *reader).await.unwrap();
    let merging = async {
        let merged = merge_months(&app.pool).await.unwrap();
        stop.cancel();
        merged
    };
    let reading = async {
        wait_until("the copies of one table are complete", async || {
            let indexes = "select count(*) from pg_class where relname = 'events_20260601_20260701_by_type'";
            let indexes: i64 = sqlx::query_scalar(indexes).fetch_one(&app.pool).await.unwrap();
            (indexes > 0).then_some(())
        })
        .await;
        worker.start();
        app.wait_until_ready(&url).await;
        app.send(&serde_json::json!([event("meanwhile", "u7x", "late", "2026-06-15T12:00:00Z")])).await;
        wait_until("an event that came meanwhile is stored", async || {
            let stored = "select count(*) from events where client_event_id = 'meanwhile'";
            let stored: i64 = sqlx::query_scalar(stored).fetch_one(&app.pool).await.unwrap();
            (stored > 0).then_some(())
        })
        .await;
        reader.commit().await.unwrap();
    };
    let (merged, sent, ()) = tokio::join!(merging, send_late(&app, &stop), reading);
    let names: BTreeSet<(&str, usize)> = merged.iter().map(|merged| (merged.partition.as_str(), merged.parts)).collect();
    let expected = BTreeSet::from([("events_20260601_20260701", 30), ("event_ids_20260601_20260701", 30)]);
    assert!(names.is_superset(&expected), "{names:?}");
    let of_events = merged.iter().find(|merged| merged.partition == "events_20260601_20260701").unwrap();
    assert_eq!(of_events.rows, 3_000);
    assert!(of_events.late_rows > 0, "{of_events:?}");
    assert!(is_merged(&app.pool).await, "{:?}", leftovers(&app.pool).await);

    app.wait_until_stored().await;
    assert_eq!(ids(&app.pool).await.len(), 3_000 + 1 + sent);
    assert_eq!(app.get("/users/u7/events?limit=1000").await.1["data"], before[0]["data"]);
    let late = "select count(distinct user_ord) from events where client_event_id like 'late%' or client_event_id = 'meanwhile'";
    let late: i64 = sqlx::query_scalar(late).fetch_one(&app.pool).await.unwrap();
    assert_eq!(late, 2);
    // Everything is still known, and what is sent again is not stored again.
    let again = (1..=30).map(|day| event(&format!("late-0-{day}"), "u1", "late", &format!("2026-06-{day:02}T12:00:00Z")));
    app.send(&Value::Array(again.collect())).await;
    app.wait_until_stored().await;
    assert_eq!(ids(&app.pool).await.len(), 3_000 + 1 + sent);
    for source in ["", "&source=events"] {
        let dau = app.get(&format!("/stats/dau?from=2026-06-01&to=2026-06-30&event_type=t{source}")).await.1;
        let users = |dau: &Value| dau["data"].as_array().unwrap().iter().map(|day| day["users"].clone()).collect::<Vec<_>>();
        assert_eq!(users(&dau), users(before[1]), "{source}");
    }
    // What was there at first is in the order of users, but for single rows that fit into the room left on an earlier page.
    let unsorted = "select count(*) from (
            select user_ord < lag(user_ord) over (order by ctid) as is_unsorted
            from events_20260601_20260701
            where client_event_id like 'e%'
        ) as placed where is_unsorted";
    let unsorted: i64 = sqlx::query_scalar(unsorted).fetch_one(&app.pool).await.unwrap();
    assert!(unsorted < 30, "{unsorted}");
    let trees = "select count(*) from pg_index where indrelid = 'events_20260601_20260701'::regclass and indisvalid";
    let [ours, others] = [trees.to_owned(), trees.replace("202606", "202605").replace("20260701", "20260601")]
        .map(|statement| async { sqlx::query_scalar::<_, i64>(AssertSqlSafe(statement)).fetch_one(&app.pool).await.unwrap() });
    assert_eq!(ours.await, others.await, "it has the indexes that partitions of other months have");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_killed_begins_again() {
    let app = app_with_days().await;
    load(&app, 60_000, 500).await;
    let (mut worker, url) = app.process("worker");
    let mut sent = 0;
    for table in ["events", "event_ids"] {
        for state in ["once", "twice"] {
            kill_at(&app, &mut worker, &format!("{table}_20260601_20260701_merging")).await;
            // While nobody merges, the trigger still works.
            let late: Vec<Value> = (0..10)
                .map(|n| event(&format!("late-{table}-{state}-{n}"), "u1", "late", &format!("2026-06-{:02}T12:00:00Z", n + 1)))
                .collect();
            sent += late.len();
            app.send(&Value::Array(late)).await;
        }
    }
    worker.start();
    app.wait_until_ready(&url).await;
    wait_until("all is merged", async || is_merged(&app.pool).await.then_some(())).await;
    app.wait_until_stored().await;
    assert_eq!(ids(&app.pool).await.len(), 60_000 + sent);
    let identities: i64 = sqlx::query_scalar("select count(*) from event_ids").fetch_one(&app.pool).await.unwrap();
    assert_eq!(identities, 60_000 + sent as i64);
}

/// Starts a worker, and kills it a moment after a table of the merge appeared, if it still exists.
async fn kill_at(app: &App, worker: &mut Process, table: &str) {
    worker.start();
    wait_until(&format!("{table} is there"), async || {
        let exists: bool =
            sqlx::query_scalar("select to_regclass($1) is not null").bind(table).fetch_one(&app.pool).await.unwrap();
        (exists || is_merged(&app.pool).await).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(40)).await;
    worker.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_at_a_time_merges_and_none_while_rows_are_deleted() {
    let app = app_with_days().await;
    load(&app, 300, 5).await;
    let mut expiring = app.pool.acquire().await.unwrap();
    // The locks of expiry, of index builds and of the archive.
    for key in [7038_i64, 7033, 7041] {
        sqlx::query("select pg_advisory_lock($1)").bind(key).execute(&mut *expiring).await.unwrap();
        assert!(merge_months(&app.pool).await.unwrap().is_empty(), "{key}");
        sqlx::query("select pg_advisory_unlock($1)").bind(key).execute(&mut *expiring).await.unwrap();
    }
    let (one, other) = tokio::join!(merge_months(&app.pool), merge_months(&app.pool));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_empty() || other.is_empty(), "{one:?} {other:?}");
    assert!(is_merged(&app.pool).await);
    assert!(merge_months(&app.pool).await.unwrap().is_empty(), "nothing is left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_stay_apart_if_no_project_keeps_them_for_long() {
    let app = app_with_days().await;
    run(&app.pool, "update projects set retention_days = 60".to_owned()).await;
    assert!(merge_months(&app.pool).await.unwrap().is_empty());
    run(&app.pool, "update projects set retention_days = null".to_owned()).await;
    assert!(!merge_months(&app.pool).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_late_have_room_for_every_column() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    for table in ["events", "event_ids"] {
        let columns =
            async |name: String| sqlx::query_scalar::<_, String>(COLUMNS).bind(name).fetch_one(&app.pool).await.unwrap();
        assert_eq!(columns(table.to_owned()).await, columns(format!("{table}_late")).await);
    }
}
