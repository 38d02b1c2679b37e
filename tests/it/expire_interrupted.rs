//! Expiry under way: it may be killed, met by another run, or watched by readers, and nobody is held up.

use rollcall_tests::{App, History, KEY, Process, days_ago, wait_until};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A transaction in which somebody has locked something.
struct Blocker(PgConnection);

impl Blocker {
    async fn new(app: &App, statement: &str) -> Self {
        let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("begin; {statement}"))).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn end(self) {
        self.0.close().await.unwrap();
    }
}

async fn number(pool: &PgPool, statement: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(pool).await.unwrap()
}

/// `rollcall expire` as a process that runs.
fn start(app: &App) -> Process {
    let (process, _) = app.process("rollcall");
    let mut process = process.with_arguments(&["expire"]);
    process.start();
    process
}

async fn wait_until_marked(app: &App) {
    wait_until("the horizons have moved", async || {
        let moved = number(&app.pool, "select count(*) from projects where kept_from is not null").await;
        (moved == 2).then_some(())
    })
    .await;
}

async fn wait_until_ended(process: &mut Process) {
    let status = wait_until("the run ends", || std::future::ready(process.ended())).await;
    assert!(status.success(), "{}", process.log());
}

/// Kills a run, and waits until PostgreSQL has noticed it.
async fn kill(app: &App, mut process: Process) {
    process.kill();
    wait_until("the sessions of the run end", async || {
        let sessions = "select count(*) from pg_stat_activity
                        where datname = current_database() and application_name = 'rollcall-expire'";
        (number(&app.pool, sessions).await == 0).then_some(())
    })
    .await;
}

async fn waits_for_lock(app: &App) -> bool {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() \
                   and application_name = 'rollcall-expire' and wait_event_type = 'Lock'";
    number(&app.pool, waiting).await > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_step_is_finished_by_the_next() {
    let app = App::start().await;
    let history = History::send(&app).await;
    app.keep_as_in_history().await;

    // After the horizons have moved, and before anything is deleted: a reader keeps the table.
    let reader = Blocker::new(&app, "select count(*) from events").await;
    let run = start(&app);
    wait_until_marked(&app).await;
    kill(&app, run).await;
    assert_eq!(app.rows_by_project("events").await, History::BEFORE);
    let again = json!([History::event("shop", 200, 0)]);
    let (status, answer) = app.admin_as(&history.shop, reqwest::Method::POST, "/events", &again).await;
    assert_eq!((status, &answer["errors"][0]["code"]), (422, &json!("expired")));
    reader.end().await;

    // Between the events and their identities.
    let reader = Blocker::new(&app, "select count(*) from event_ids").await;
    let run = start(&app);
    wait_until("the events are gone", async || (app.rows_by_project("events").await == History::AFTER).then_some(())).await;
    kill(&app, run).await;
    assert_eq!(app.rows_by_project("event_ids").await, History::BEFORE);
    reader.end().await;

    // In the middle of identities that are deleted one by one: somebody keeps one of them.
    let (id, partition): (uuid::Uuid, String) = sqlx::query_as(
        "select event_id, tableoid::regclass::text from event_ids where project_id = 2 and day = $1::text::date limit 1",
    )
    .bind(days_ago(45).to_string())
    .fetch_one(&app.pool)
    .await
    .unwrap();
    let keeper = Blocker::new(&app, &format!("select from {partition} where event_id = '{id}' for update")).await;
    let run = start(&app);
    wait_until("the run meets it", async || waits_for_lock(&app).await.then_some(())).await;
    kill(&app, run).await;
    let left = app.rows_by_project("event_ids").await;
    assert!(left[1] > History::AFTER[1] && left[1] < History::BEFORE[1], "{left:?}");
    keeper.end().await;

    app.expired(&[]).await;
    for table in ["events", "event_ids"] {
        assert_eq!(app.rows_by_project(table).await, History::AFTER, "{table}");
    }
    let nothing: Vec<Value> = app.expired(&["--dry-run"]).await;
    assert!(nothing.iter().all(|entry| entry["events"] == 0 && entry["identities"] == 0), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_the_second_says_who_runs() {
    let app = App::start().await;
    History::send(&app).await;
    app.keep_as_in_history().await;
    let reader = Blocker::new(&app, "select count(*) from events").await;
    let mut first = start(&app);
    wait_until_marked(&app).await;
    let (succeeded, _, errors) = app.expire(&[]).await;
    let holder = "select pid::bigint from pg_locks where locktype = 'advisory' and objid = 7038 and granted
                  and database = (select oid from pg_database where datname = current_database())";
    let pid = number(&app.pool, holder).await;
    let expected = format!("process {pid} of PostgreSQL) is deleting expired events at the moment");
    assert!(!succeeded && errors.contains("rollcall-expire (user ") && errors.contains(&expected), "{errors}");
    // What would go can be seen meanwhile.
    assert_eq!(app.expired(&["--dry-run"]).await.len(), 2);
    reader.end().await;
    wait_until_ended(&mut first).await;
    assert_eq!(app.rows_by_project("event_ids").await, History::AFTER);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_expiry_waits_for_a_reader_events_are_stored_and_questions_answered() {
    let app = App::start().await;
    History::send(&app).await;
    app.keep_as_in_history().await;
    let reader = Blocker::new(&app, "select count(*) from events").await;
    let mut run = start(&app);
    wait_until_marked(&app).await;
    wait_until("the run waits", async || waits_for_lock(&app).await.then_some(())).await;
    for number in 0..20 {
        let body = json!({"event_id": format!("meanwhile-{number}"), "user_id": "ada", "event_type": "t"}).to_string();
        let (status, answer) = app.post("/events?wait=stored&timeout_ms=30000", &[], body).await;
        assert_eq!((status, &answer["inserted"]), (200, &json!(1)), "{answer}");
        assert_eq!(app.get("/events?limit=1").await.1["data"][0]["event_id"], json!(format!("meanwhile-{number}")));
    }
    assert!(run.ended().is_none(), "{}", run.log());
    reader.end().await;
    wait_until_ended(&mut run).await;
    assert_eq!(app.rows_by_project("events").await, [32, 6, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_kept_days_see_the_same_numbers_all_the_time() {
    let app = App::start().await;
    // Expired and kept rows share partitions, so several steps delete them one by one.
    let event = |number: i64| {
        let days = if number % 10 == 0 { 20 } else { 40 + number % 3 };
        json!({"event_id": format!("e{number}"), "user_id": format!("u{}", number % 97), "event_type": "t",
               "session_id": format!("s{}-{days}", number % 50), "occurred_at": format!("{}T10:00:00Z", days_ago(days))})
    };
    app.make_project("keeper", "UTC").await;
    let keeper = app.make_key("keeper", &["ingest", "read"]).await.key;
    app.send(&json!((0..30_000).map(event).collect::<Vec<_>>())).await;
    let kept: Vec<_> = (0..30).map(event).collect();
    assert_eq!(app.admin_as(&keeper, reqwest::Method::POST, "/events", &json!(kept)).await.0, 202);
    app.wait_until_stored().await;
    let period = format!("from={}&to={}", days_ago(29), days_ago(0));
    let questions = [
        (KEY, format!("/stats/dau?{period}")),
        (KEY, format!("/stats/dau?{period}&source=events")),
        (KEY, format!("/stats/top-events?{period}&source=events")),
        (KEY, format!("/events?{period}&limit=1000")),
        (&keeper, format!("/stats/top-events?from={}&to={}&source=events", days_ago(50), days_ago(0))),
    ];
    let mut expected = Vec::new();
    for (key, question) in &questions {
        expected.push(app.admin_as(key, reqwest::Method::GET, question, &Value::Null).await);
    }
    app.keep_for("default", Some(30)).await;
    let mut run = start(&app);
    let status = loop {
        for ((key, question), expected) in questions.iter().zip(&expected) {
            let found = app.admin_as(key, reqwest::Method::GET, question, &Value::Null).await;
            assert_eq!((found.0, &found), (200, expected), "{question}");
        }
        if let Some(status) = run.ended() {
            break status;
        }
    };
    assert!(status.success(), "{}", run.log());
    assert_eq!(number(&app.pool, "select count(*) from events where project_id = 1").await, 3_000);
    assert_eq!(number(&app.pool, "select count(*) from event_ids where project_id = 1").await, 3_000);
    assert_eq!(number(&app.pool, "select count(*) from events where project_id = 2").await, 30);
}
