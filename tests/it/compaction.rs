//! Compaction: a backlog of deltas is folded in bounded batches, project by project, and no number changes.

use roaring::RoaringBitmap;
use rollcall_tests::{App, AppOptions, wait_until};
use sqlx::{AssertSqlSafe, PgPool};

/// A table of what each fold took, of the two tables of deltas.
const WATCH: &str = "
    create table folds (number int generated always as identity, kind text, project_id int, deltas bigint, bytes bigint);
    create function note_counts() returns trigger language plpgsql as $$
    begin
        insert into folds (kind, project_id, deltas) select 'counts', project_id, count(*) from gone group by 2;
        return null;
    end $$;
    create function note_users() returns trigger language plpgsql as $$
    begin
        insert into folds (kind, project_id, deltas, bytes)
        select 'users', project_id, count(*), sum(length(bitmap)) from gone group by 2;
        return null;
    end $$;
    create trigger note after delete on event_counts_delta
        referencing old table as gone for each statement execute function note_counts();
    create trigger note after delete on active_users_delta
        referencing old table as gone for each statement execute function note_users()";

/// Makes the planner believe that the table is nearly empty: when it was last vacuumed, all rows but one
/// were dead.
const OLD_STATISTICS: [&str; 4] = [
    "alter table event_counts_delta set (autovacuum_enabled = false)",
    "insert into event_counts_delta (project_id, day, event_type_id, n, has_sessions)
     select 1, '2026-01-01', 1, 1, true from generate_series(1, 50000)",
    "delete from event_counts_delta where ctid < (select max(ctid) from event_counts_delta)",
    "vacuum event_counts_delta",
];

/// 199,000 deltas of one project over 398 days, and 1,000 of another over 3 days; both have seven types.
const COUNTS: &str = "
    insert into event_counts_delta (project_id, day, event_type_id, n, has_sessions)
    select 1, date '2024-01-01' + n % 398, n % 7 + 1, 1, true from generate_series(1, 199000) as n
    union all
    select 2, date '2026-01-01' + n % 3, n % 7 + 1, 1, true from generate_series(1, 1000) as n";

async fn run(pool: &PgPool, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
}

async fn number(pool: &PgPool, statement: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(pool).await.unwrap()
}

/// A digest of every sum, in one statement, as readers take them.
async fn sums(pool: &PgPool) -> Vec<(i32, i64, i64)> {
    let statement = "
        select project_id, sum(n)::bigint, sum(n * hashtext(day::text || event_type_id))::bigint
        from (
            select project_id, day, event_type_id, n from event_counts
            union all
            select project_id, day, event_type_id, n from event_counts_delta
        ) as counted
        group by project_id
        order by project_id";
    sqlx::query_as(statement).fetch_all(pool).await.unwrap()
}

fn bitmap(users: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    users.collect::<RoaringBitmap>().serialize_into(&mut bytes).unwrap();
    bytes
}

async fn insert_bitmaps(pool: &PgPool, project: i32, event_type: i32, bitmap: &[u8], times: i32) {
    let statement = "insert into active_users_delta (project_id, event_type_id, day, bitmap) \
                     select $1, $2, '2026-01-01', $3 from generate_series(1, $4)";
    sqlx::query(statement).bind(project).bind(event_type).bind(bitmap).bind(times).execute(pool).await.unwrap();
}

async fn without_worker() -> App {
    let variables = vec![("DATABASE_STATEMENT_TIMEOUT_MS", "1000".to_owned())];
    App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_folded_whatever_the_planner_believes_and_a_small_project_does_not_wait_for_it() {
    let app = without_worker().await;
    for statement in OLD_STATISTICS {
        run(&app.pool, statement).await;
    }
    run(&app.pool, COUNTS).await;
    run(&app.pool, WATCH).await;
    let before = sums(&app.pool).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    wait_until("the deltas are folded", async || {
        assert_eq!(sums(&app.pool).await, before, "a reader sees every delta once");
        (number(&app.pool, "select count(*) from event_counts_delta").await == 0).then_some(())
    })
    .await;
    assert_eq!(sums(&app.pool).await, before);
    let keys = number(&app.pool, "select count(*) from event_counts").await;
    // Seven types on each of 398 days and of 3 days, and the one delta that `OLD_STATISTICS` leaves.
    assert_eq!(keys, 2_808);
    // The small project was folded first, or right after the first batch of the large one.
    let before = "select count(*) from folds where number < (select min(number) from folds where project_id = 2)";
    assert!(number(&app.pool, before).await <= 1);
    assert!(number(&app.pool, "select count(*) from folds where project_id = 1").await > 2);
    assert!(number(&app.pool, "select max(deltas) from folds").await <= 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_bitmaps_is_bounded_in_bytes_and_all_of_them_are_united() {
    let app = without_worker().await;
    // Every other user of two million: 250 kB, which no format makes smaller.
    let large = bitmap((0..2_000_000).step_by(2));
    insert_bitmaps(&app.pool, 1, 0, &large, 100).await;
    insert_bitmaps(&app.pool, 1, 0, &bitmap([1, 3, 5].into_iter()), 100).await;
    run(&app.pool, WATCH).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_compacted().await;
    let (users, stored): (i32, Vec<u8>) =
        sqlx::query_as("select users_count, bitmap from active_users").fetch_one(&app.pool).await.unwrap();
    assert_eq!(users, 1_000_003);
    let stored = RoaringBitmap::deserialize_from(&stored[..]).unwrap();
    assert_eq!((stored.len(), stored.contains(5), stored.contains(7)), (1_000_003, true, false));
    assert!(number(&app.pool, "select max(bytes)::bigint from folds").await <= 8 * 1024 * 1024);
    assert!(number(&app.pool, "select count(*) from folds").await >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_folded_holds_up_neither_the_other_kind_nor_other_projects() {
    let app = without_worker().await;
    run(&app.pool, COUNTS).await;
    let few = bitmap([1, 2].into_iter());
    insert_bitmaps(&app.pool, 1, 0, b"no bitmap", 1).await;
    insert_bitmaps(&app.pool, 2, 0, &few, 5_000).await;
    insert_bitmaps(&app.pool, 3, 0, &few, 5_000).await;
    let (mut worker, url) = app.process("worker");
    worker.start();
    let left = "select (select count(*) from event_counts_delta) + (select count(*) from active_users_delta)";
    wait_until("all but one is folded", async || (number(&app.pool, left).await == 1).then_some(())).await;
    let metrics = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let failures = |kind| {
        let name = format!("rollcall_compaction_failures_total{{kind=\"{kind}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    assert!(failures("active_users") > 0, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_far_the_compaction_is_behind() {
    let app = without_worker().await;
    run(&app.pool, COUNTS).await;
    run(&app.pool, "update event_counts_delta set added_at = now() - interval '1 hour' where project_id = 2").await;
    insert_bitmaps(&app.pool, 1, 0, &bitmap([1].into_iter()), 7).await;
    // Another compactor seems to be at work.
    let mut other = app.pool.acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(7031), pg_advisory_lock(7035)").execute(&mut *other).await.unwrap();
    let (mut worker, url) = app.process("worker");
    worker.start();
    app.wait_until_ready(&url).await;
    wait_until("the backlog is measured", async || {
        let text = app.http.get(format!("{url}/metrics")).send().await.ok()?.text().await.ok()?;
        let value = |name: &str, kind: &str| -> Option<f64> {
            text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{kind=\"{kind}\"}} "))?.parse().ok())
        };
        let waiting = ["event_counts", "active_users"].map(|kind| value("rollcall_rollup_deltas_waiting", kind));
        let age = value("rollcall_rollup_oldest_delta_age_seconds", "event_counts")?;
        (waiting == [Some(200_000.0), Some(7.0)] && (3600.0..4000.0).contains(&age)).then_some(())
    })
    .await;
}
