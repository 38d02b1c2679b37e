//! Indexes of the rows: B-trees for days that are over, filters for those that are not.

use rollcall_shared::project::ProjectId;
use rollcall_tests::{App, AppOptions, Process, wait_until};
use rollcall_worker::bulk::{Lines, Loader};
use serde_json::Value;
use sqlx::PgPool;

/// For each partition of rows whether it is over, its name, and its B-trees that can be used. The last
/// partition ends nine days after the day as of which they were made, and a partition is over when it
/// ends a day before that day or earlier.
const PARTITIONS: &str = "
    with made as (
        select c.oid, c.relname::text as name, to_date(substring(c.relname from '_([0-9]{8})$'), 'YYYYMMDD') as end_day
        from pg_inherits h
        join pg_class c on c.oid = h.inhrelid
        where h.inhparent = 'events'::regclass and c.relname <> 'events_default'
    )
    select
        end_day <= max(end_day) over () - 9,
        name,
        (
            select count(*)
            from pg_index i
            where i.indrelid = made.oid and i.indisvalid
                and i.indexrelid in (to_regclass(name || '_by_user'), to_regclass(name || '_by_session'), to_regclass(name || '_by_type'))
        )
    from made
    order by name";

const WITHOUT_AUTOVACUUM: &str = "do $$
    declare partition text;
    begin
        for partition in select inhrelid::regclass from pg_inherits where inhparent = 'events'::regclass loop
            execute format('alter table %s set (autovacuum_enabled = false)', partition);
        end loop;
    end $$";

async fn partitions(pool: &PgPool) -> Vec<(bool, String, i64)> {
    sqlx::query_as(PARTITIONS).fetch_all(pool).await.expect("partitions")
}

/// Whether every partition that is over has its three B-trees, and no other has any.
async fn is_as_it_should_be(pool: &PgPool) -> Option<()> {
    let partitions = partitions(pool).await;
    partitions.iter().all(|(is_over, _, trees)| *trees == if *is_over { 3 } else { 0 }).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_build_the_missing_indexes_of_days_that_are_over() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    is_as_it_should_be(&app.pool).await.expect("new partitions are made as they should be");
    let over: Vec<_> =
        partitions(&app.pool).await.into_iter().filter(|(is_over, ..)| *is_over).map(|(_, name, _)| name).collect();
    let (open, broken) = (&over[over.len() - 1], &over[over.len() - 2]);
    for statement in [
        // As a day is that has just passed.
        format!("drop index {open}_by_user, {open}_by_session, {open}_by_type"),
        // As a build leaves it that was interrupted.
        format!("update pg_index set indisvalid = false where indexrelid = '{broken}_by_user'::regclass"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&app.pool).await.expect("the statement runs");
    }
    assert!(is_as_it_should_be(&app.pool).await.is_none());
    // Two at once: one of them builds.
    let mut workers = [app.process("worker").0, app.process("worker").0];
    workers.iter_mut().for_each(Process::start);
    wait_until("all indexes are built", || is_as_it_should_be(&app.pool)).await;
}

/// Stores events of one moment, each of another user and session, and one of a type of its own. Returns the
/// conditions that only the latter meets, and how many pages the rows take.
async fn load(app: &App, at: jiff::Timestamp) -> ([String; 4], i64) {
    let at_us = at.as_microsecond();
    let line = |number: u32| {
        let event_type = if number == 12_345 { "rare" } else { "t" };
        format!(
            r#"{{"id":"e{number}","type":"{event_type}","user":"u{number}","session":"s{number}","occurred_us":{at_us},"received_us":{at_us},"properties":{{}}}}"#
        ) + "\n"
    };
    let lines: String = (0..20_000).map(line).collect();
    let loader = Loader::new(app.pool.clone());
    assert_eq!(loader.store(&Lines::new(ProjectId::DEFAULT, lines.into_bytes())).await.expect("it is stored"), 20_000);
    let pages = "select sum(pg_relation_size(inhrelid) / current_setting('block_size')::int)::bigint
        from pg_inherits where inhparent = 'events'::regclass";
    let pages: i64 = sqlx::query_scalar(pages).fetch_one(&app.pool).await.expect("pages");
    let numbers = "select event_type_id, event_id::text from events where client_event_id = 'e12345'";
    let (event_type, id): (i32, String) = sqlx::query_as(numbers).fetch_one(&app.pool).await.expect("numbers");
    let conditions = [
        format!("event_id = '{id}'"),
        "user_ord = 12345".to_owned(),
        "session_id = 's12345'".to_owned(),
        format!("event_type_id = {event_type}"),
    ];
    (conditions, pages)
}

/// Now, as exactly as PostgreSQL knows it.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(jiff::Timestamp::now().as_microsecond()).expect("a time that was just read")
}

/// Waits until a search at this moment reads few pages. Without filters it reads all of them, and with filters
/// that do not know the rows yet, all as well. A filter may be wrong about a range or two of its seventeen or so.
async fn wait_until_few_are_read(app: &App, at: jiff::Timestamp, condition: &str, pages: i64) {
    wait_until(&format!("few pages are read for {condition}"), async || {
        let (rows, read) = rows_and_pages(&app.pool, at, condition).await;
        assert_eq!(rows, 1, "{condition}");
        (read * 3 < pages).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_today_are_found_through_filters_that_workers_keep() {
    let app = App::start().await;
    // It would do the workers' work, a minute later.
    sqlx::raw_sql(WITHOUT_AUTOVACUUM).execute(&app.pool).await.expect("the statement runs");
    let now = now();
    let (conditions, pages) = load(&app, now).await;
    for condition in &conditions {
        wait_until_few_are_read(&app, now, condition, pages).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_came_when_its_day_was_long_over_is_found_through_the_filters_too() {
    let app = App::start().await;
    sqlx::raw_sql(WITHOUT_AUTOVACUUM).execute(&app.pool).await.expect("the statement runs");
    let long_ago = now() - jiff::SignedDuration::from_hours(24 * 100);
    let (conditions, pages) = load(&app, long_ago).await;
    // Otherwise, the planner takes the rows for few and reads them all by a B-tree.
    sqlx::query("analyze events").execute(&app.pool).await.expect("the statement runs");
    wait_until_few_are_read(&app, long_ago, &conditions[0], pages).await;
}

/// How many rows a search finds, and how many pages it reads for that, those of indexes among them.
async fn rows_and_pages(pool: &PgPool, at: jiff::Timestamp, condition: &str) -> (u64, i64) {
    let mut connection = pool.acquire().await.expect("a connection");
    sqlx::query("set enable_seqscan = off").execute(&mut *connection).await.expect("a setting");
    let statement = format!(
        "explain (analyze, buffers, format json) select * from events where project_id = 1 and occurred_at = '{at}' and {condition}"
    );
    let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&mut *connection).await.expect("a plan");
    let plan = &plan[0]["Plan"];
    let pages = ["Shared Hit Blocks", "Shared Read Blocks"].map(|name| plan[name].as_i64().expect("a count"));
    // Newer versions print it with decimals.
    (plan["Actual Rows"].as_f64().expect("a count") as u64, pages.iter().sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_waits_longer_than_statements_may_is_built_all_the_same() {
    let variables = ["DATABASE_LOCK_TIMEOUT_MS", "DATABASE_STATEMENT_TIMEOUT_MS"].map(|name| (name, "200".to_owned())).to_vec();
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    let over: Vec<_> =
        partitions(&app.pool).await.into_iter().filter(|(is_over, ..)| *is_over).map(|(_, name, _)| name).collect();
    let open = &over[over.len() - 1];
    let drop = format!("drop index {open}_by_user, {open}_by_session, {open}_by_type");
    sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&app.pool).await.expect("the statement runs");
    // A build waits for transactions that write to its table.
    let mut writing = app.pool.begin().await.expect("a transaction");
    let lock = format!("lock table {open} in row exclusive mode");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *writing).await.expect("a lock");
    let (mut worker, _) = app.process("worker");
    worker.start();
    wait_until("a build waits for long", async || {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
                       and query like 'create index concurrently%' and clock_timestamp() - query_start > interval '500 ms'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&app.pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    writing.commit().await.expect("a commit");
    wait_until("all indexes are built", || is_as_it_should_be(&app.pool)).await;
}
