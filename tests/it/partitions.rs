//! Partitions: they are made in spite of locks and of rows in a default partition, and days are the database's.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rollcall_tests::{App, AppOptions, wait_until};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

const IN_DEFAULT: &str = "select (select count(*) from events_default) + (select count(*) from event_ids_default)";

/// The end of the last partition of a table, from its name.
const END: &str = "
    select to_date(max(substring(c.relname from '_([0-9]{8})$')), 'YYYYMMDD')::text
    from pg_inherits h
    join pg_class c on c.oid = h.inhrelid
    where h.inhparent = $1::regclass";

async fn without_worker() -> App {
    App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await
}

fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.unwrap();
}

async fn end(pool: &PgPool, table: &str) -> Date {
    let end: String = sqlx::query_scalar(END).bind(table).fetch_one(pool).await.unwrap();
    end.parse().unwrap()
}

/// The name of the partition of one day.
fn partition(table: &str, day: Date) -> String {
    format!("{table}_{}_{}", day.strftime("%Y%m%d"), day.tomorrow().unwrap().strftime("%Y%m%d"))
}

/// Takes the last partition of both tables away, as if no worker had run for a day. Returns its day.
async fn take_last_partition_away(pool: &PgPool) -> Date {
    let mut connection = pool.acquire().await.unwrap();
    let day = end(pool, "events").await.yesterday().unwrap();
    for table in ["events", "event_ids"] {
        run(&mut connection, &format!("drop table {}", partition(table, day))).await;
    }
    day
}

/// An identity of that day, and its row.
fn insert(day: Date, id: u32) -> String {
    let id = format!("00000000-0000-7000-8000-{id:012}");
    format!(
        "insert into event_ids (project_id, event_id, day) values (1, '{id}', '{day}');
        insert into events (project_id, event_type_id, user_ord, occurred_at, received_at, event_id, properties)
        values (1, 1, 1, '{day} 12:00:00+00', now(), '{id}', '{{}}')"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_default_partition_move_when_theirs_is_made_and_their_identities_hold() {
    let app = without_worker().await;
    let day = take_last_partition_away(&app.pool).await;
    let mut connection = app.pool.acquire().await.unwrap();
    // One that belongs there, and one that stays.
    run(&mut connection, &insert(day, 1)).await;
    run(&mut connection, &insert(day.saturating_add(90.days()), 2)).await;
    let in_default: i64 = sqlx::query_scalar(IN_DEFAULT).fetch_one(&app.pool).await.unwrap();
    assert_eq!(in_default, 4);

    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    for table in ["events", "event_ids"] {
        wait_until("the partition is made", async || (end(&app.pool, table).await > day).then_some(())).await;
        let count = format!("select count(*) from {}", partition(table, day));
        let moved: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&app.pool).await.unwrap();
        assert_eq!(moved, 1, "{table}");
    }
    let in_default: i64 = sqlx::query_scalar(IN_DEFAULT).fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, in_default), (2, 2));
    let again = "insert into event_ids (project_id, event_id, day) \
                 select project_id, event_id, day from event_ids on conflict do nothing";
    let inserted = sqlx::query(again).execute(&app.pool).await.unwrap().rows_affected();
    assert_eq!(inserted, 0, "identities are claimed still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_partitions_for_today_starts_while_others_cannot_be_made() {
    let app = without_worker().await;
    let day = take_last_partition_away(&app.pool).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    run(&mut transaction, &insert(day, 1)).await;

    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    app.send(&json!([{"event_type": "t", "user_id": 1}])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    assert_eq!(end(&app.pool, "events").await, day);

    transaction.commit().await.unwrap();
    for table in ["events", "event_ids"] {
        wait_until("it is made after all", async || (end(&app.pool, table).await > day).then_some(())).await;
    }
    let in_default: i64 = sqlx::query_scalar(IN_DEFAULT).fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, in_default), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_made_while_another_session_locks_the_last_ones() {
    let app = without_worker().await;
    let day = take_last_partition_away(&app.pool).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    for table in ["events", "event_ids"] {
        let last = partition(table, day.yesterday().unwrap());
        run(&mut transaction, &format!("lock table {last} in access exclusive mode")).await;
    }

    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    for table in ["events", "event_ids"] {
        wait_until("the partition is made", async || (end(&app.pool, table).await > day).then_some(())).await;
    }
    let metrics = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rollcall_partition_failures_total 0"), "{metrics}");
    transaction.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_on_its_way_to_the_default_partition_goes_to_its_own_and_counts_as_no_refusal() {
    let app = without_worker().await;
    let tomorrow = today().tomorrow().unwrap();
    let name = partition("events", tomorrow);
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    run(&mut other, &format!("drop table {name}")).await;
    let mut transaction = other.begin().await.unwrap();
    run(
        &mut transaction,
        &format!(
            "set local timezone = 'UTC';
            create table {name} (like events including defaults including constraints including storage);
            lock table events_default in access exclusive mode;
            alter table events attach partition {name}
                for values from ('{tomorrow}') to ('{}')",
            tomorrow.tomorrow().unwrap()
        ),
    )
    .await;

    app.send(&json!([{"event_type": "t", "user_id": 1, "occurred_at": format!("{tomorrow}T00:00:00Z")}])).await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    wait_until("the row waits", async || {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    transaction.commit().await.unwrap();
    app.wait_until_stored().await;
    let count = format!("select count(*) from {name}");
    let stored: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&app.pool).await.unwrap();
    assert_eq!(stored, 1);
    let metrics = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rollcall_messages_refused_total 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_follow_the_clock_of_the_database() {
    let app = without_worker().await;
    let before = end(&app.pool, "events").await;
    let mut connection = app.pool.acquire().await.unwrap();
    // What a worker whose clock is three days behind sees.
    run(
        &mut connection,
        "create schema ahead;
        create function ahead.now() returns timestamptz language sql stable
            as 'select pg_catalog.now() + interval ''3 days''';
        do $$ begin
            execute format('alter database %I set search_path = ahead, public, pg_catalog', current_database());
        end $$",
    )
    .await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    for table in ["events", "event_ids"] {
        wait_until("three more days are made", async || {
            (end(&app.pool, table).await >= before.saturating_add(3.days())).then_some(())
        })
        .await;
    }
    let metrics = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let offset = metrics.lines().find_map(|line| line.strip_prefix("rollcall_clock_offset_seconds ")?.parse::<f64>().ok());
    assert!(offset.is_some_and(|offset| (-259_300.0..-259_100.0).contains(&offset)), "{offset:?}");
}
