//! The unions of weeks and months: they serve the active users by week and month, and are never behind the days.

use rollcall_tests::{App, TestArchive, days_ago, event, wait_until};
use rollcall_worker::bulk::Loader;
use serde_json::{Value, json};

const WEEKS: &str = "/stats/dau?from=2025-09-29&to=2025-10-26&granularity=week";
const MONTHS: &str = "/stats/dau?from=2025-09-01&to=2025-11-30&granularity=month";

/// Three users in the first two weeks of October 2025, united.
async fn october() -> App {
    let app = App::start().await;
    let at = |day: u32| format!("2025-10-{day:02}T12:00:00Z");
    app.send(&json!([
        event("1", "ada", "login", &at(1)),
        event("2", "bob", "login", &at(1)),
        event("3", "ada", "login", &at(5)),
        event("4", "cid", "login", &at(7)),
    ]))
    .await;
    app.wait_until_stored().await;
    app.wait_until_united().await;
    app
}

async fn execute(app: &App, statement: &'static str) -> u64 {
    sqlx::query(statement).execute(&app.pool).await.unwrap().rows_affected()
}

/// The numbers of an answer.
async fn numbers(app: &App, question: &str) -> Vec<u64> {
    let (status, answer) = app.get(question).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().iter().map(|bucket| bucket["unique_users"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_and_months_are_answered_from_their_unions() {
    let app = october().await;
    assert_eq!(numbers(&app, WEEKS).await, [2, 1, 0, 0]);
    assert_eq!(numbers(&app, MONTHS).await, [0, 3, 0]);
    // Wrong numbers show where an answer comes from.
    assert_eq!(execute(&app, "update active_user_spans set users_count = 70 where last_day = '2025-10-05'").await, 1);
    assert_eq!(execute(&app, "update active_user_spans set users_count = 90 where last_day = '2025-10-31'").await, 1);
    assert_eq!(numbers(&app, WEEKS).await, [70, 1, 0, 0]);
    assert_eq!(numbers(&app, MONTHS).await, [0, 90, 0]);
    // Not those of a part of a week or month, of single types, and of rows.
    for (question, expected) in [
        ("/stats/dau?from=2025-09-30&to=2025-10-12&granularity=week", vec![2, 1]),
        ("/stats/dau?from=2025-09-29&to=2025-10-04&granularity=week", vec![2]),
        ("/stats/dau?from=2025-10-01&to=2025-10-30&granularity=month", vec![3]),
        ("/stats/dau?from=2025-09-29&to=2025-10-05&granularity=week&event_type=login", vec![2]),
        ("/stats/dau?from=2025-09-29&to=2025-10-05&granularity=week&source=events", vec![2]),
    ] {
        assert_eq!(numbers(&app, question).await, expected, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_counts_before_and_after_its_delta_is_folded() {
    let app = october().await;
    // No worker folds or unites.
    let mut compactor = app.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7031)").execute(&mut *compactor).await.unwrap();
    app.send(&json!([event("5", "dan", "login", "2025-10-02T12:00:00Z"), event("6", "ada", "login", "2025-10-03T12:00:00Z")]))
        .await;
    app.wait_until_stored().await;
    assert_eq!(app.ask(WEEKS).await["data"][0]["unique_users"], 3);
    assert_eq!(app.ask(MONTHS).await["data"][1]["unique_users"], 4);
    compactor.rollback().await.unwrap();
    app.wait_until_compacted().await;
    let lacking: Vec<String> = sqlx::query_scalar(
        "select last_day::text from active_user_spans where bitmap is null and last_day < '2025-11-01' order by 1",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(lacking, ["2025-10-05", "2025-10-31"], "the change of a day removes its unions");
    assert_eq!(app.ask(WEEKS).await["data"][0]["unique_users"], 3);
    app.wait_until_united().await;
    assert_eq!(app.ask(WEEKS).await["data"][0]["unique_users"], 3);
    assert_eq!(app.ask(MONTHS).await["data"][1]["unique_users"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_makes_the_unions_from_the_days() {
    let app = october().await;
    execute(&app, "update active_user_spans set users_count = 70 where bitmap is not null").await;
    TestArchive::in_folder().must(&app, &["rebuild", "--dry-run"]).await;
    assert_eq!(numbers(&app, WEEKS).await, [70, 70, 0, 0]);
    TestArchive::in_folder().must(&app, &["rebuild"]).await;
    assert_eq!(numbers(&app, WEEKS).await, [2, 1, 0, 0]);
    app.wait_until_united().await;
    assert_eq!(numbers(&app, WEEKS).await, [2, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_who_takes_no_lock_is_not_missed() {
    let app = october().await;
    execute(&app, "update active_user_spans set users_count = null, bitmap = null").await;
    // Somebody repairs the first days by hand while a worker unites them.
    let mut repair = app.pool.begin().await.unwrap();
    let statement = "update active_users a set (users_count, bitmap) = (select users_count, bitmap from active_users other \
                     where other.event_type_id = 0 and other.day = '2025-10-07') \
                     where a.event_type_id = 0 and a.day < '2025-10-07'";
    assert_eq!(sqlx::query(statement).execute(&mut *repair).await.unwrap().rows_affected(), 2);
    let loader = Loader::new(app.pool.clone());
    let uniting = tokio::spawn(async move { loader.compact().await });
    wait_until("a worker waits for the repair", || async {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity \
             where datname = current_database() and wait_event_type = 'Lock' and query like '%active_user_spans%'",
        )
        .fetch_one(&app.pool)
        .await
        .ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    repair.commit().await.unwrap();
    uniting.await.unwrap().unwrap();
    app.wait_until_united().await;
    assert_eq!(numbers(&app, WEEKS).await, [1, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_union_goes_with_its_last_day() {
    let app = App::start().await;
    let at = |days: i64| format!("{}T12:00:00Z", days_ago(days));
    app.send(&json!([event("1", "ada", "login", &at(100)), event("2", "bob", "login", &at(10))])).await;
    app.wait_until_stored().await;
    app.wait_until_united().await;
    let count = async || -> i64 {
        sqlx::query_scalar("select count(*) from active_user_spans where last_day < current_date - 65 and bitmap is not null")
            .fetch_one(&app.pool)
            .await
            .unwrap()
    };
    assert_eq!(count().await, 2, "a week and a month");
    app.keep_for("default", Some(30)).await;
    let expired: Vec<Value> = app.expired(&["--rollups"]).await;
    assert_eq!(expired[0]["events"], 1, "{expired:?}");
    app.wait_until_united().await;
    assert_eq!(count().await, 0);
    let rows: i64 = sqlx::query_scalar("select count(*) from active_user_spans where last_day < current_date - 65")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}
