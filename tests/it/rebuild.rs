//! `rollcall rebuild`: wrong numbers are found and put right from the rows, whatever else happens at that time.

use reqwest::Method;
use rollcall_tests::{
    App, AppOptions, History, KEY, Process, TestArchive, days_ago, event, hour_disagreements, session_disagreements,
    user_disagreements, wait_until,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Everything that a rebuild could change.
const STATE: &str = "
    select jsonb_build_object(
        'event_counts', (select jsonb_agg(c order by project_id, day, event_type_id) from event_counts c),
        'event_counts_delta', (select jsonb_agg(c order by project_id, day, hour, event_type_id, n) from event_counts_delta c),
        'event_hours', (select jsonb_agg(h order by project_id, event_type_id, day, hour, utc_offset) from event_hours h),
        'active_users', (select jsonb_agg(a order by project_id, event_type_id, day) from active_users a),
        'active_users_delta', (select jsonb_agg(a order by project_id, event_type_id, day, bitmap) from active_users_delta a),
        'earlier_users', (select jsonb_agg(e order by project_id) from earlier_users e),
        'sessions', (select jsonb_agg(s order by project_id, session_id) from sessions s),
        'sessions_delta', (select count(*) from sessions_delta),
        'user_activity', (select jsonb_agg(a order by project_id, ord) from user_activity a),
        'user_activity_delta', (select count(*) from user_activity_delta)
    )";

/// Changes of every kind in every table: some entries go, some get another value, and some are added.
const CORRUPTIONS: [&str; 16] = [
    "delete from event_counts where event_type_id = 1 and day < '2025-10-24'",
    "update event_counts set n = n + 1 where event_type_id = 2 and day = '2025-10-25'",
    "insert into event_counts select id, '2025-01-01', 1, 7 from projects",
    "delete from event_hours where hour = 3",
    "update event_hours set n = n * 2 where hour = 2",
    "insert into event_hours select id, 0, '2025-10-26', 23, 12345, 7 from projects",
    "delete from active_users where event_type_id = 0 and day = '2025-10-25'",
    "update active_users set users_count = users_count + 1 where event_type_id = 1 and day = '2025-10-26'",
    "update active_users a set bitmap = other.bitmap, users_count = other.users_count from active_users other
     where a.project_id = other.project_id and a.event_type_id = 0 and other.event_type_id = 1 and a.day = other.day
       and a.day = '2025-10-24'",
    "insert into active_users select project_id, 1, '2025-01-02', users_count, bitmap from active_users
     where event_type_id = 0 and day = '2025-10-26'",
    "delete from sessions where session_id like 's1%'",
    "update sessions set events = events + 1, user_id = 'nobody' where session_id like 's2%'",
    "insert into sessions select id, 'ghost', null, 0, null, null, now(), now(), 1 from projects",
    "delete from user_activity where ord % 5 = 0",
    "update user_activity set last_seen = last_seen + interval '1 day' where ord % 5 = 1",
    "insert into user_activity select id, 1000000, now(), now(), 3 from projects",
];

async fn execute(app: &App, statement: &str) -> u64 {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&app.pool).await.unwrap().rows_affected()
}

async fn corrupt(app: &App) {
    for statement in CORRUPTIONS {
        assert!(execute(app, statement).await > 0, "{statement}");
    }
}

async fn state(app: &App) -> Value {
    sqlx::query_scalar(STATE).fetch_one(&app.pool).await.unwrap()
}

/// Some hundred events of many people around the day on which clocks go back in Europe.
fn history(project: &str) -> Value {
    let event_types = ["visit", "buy", "leave"];
    let events = (0..600_u32).map(|number| {
        let minute = number * 17 % (6 * 24 * 60);
        json!({
            "event_id": format!("{project}-{number}"), "user_id": format!("u{}", number * 7 % 31),
            "event_type": event_types[(number % 3) as usize], "session_id": format!("s{}", number * 11 % 40),
            "occurred_at": format!("2025-10-{:02}T{:02}:{:02}:30Z", 23 + minute / 1440, minute / 60 % 24, minute % 60),
        })
    });
    events.collect()
}

/// The answers of a project. Statistics are asked of the rollups and of the rows, which must agree.
async fn answers(app: &App, key: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    let period = "from=2025-10-22&to=2025-10-29";
    for question in [
        format!("/stats/dau?{period}"),
        format!("/stats/dau?{period}&granularity=week&event_type=buy"),
        "/stats/dau?from=2024-12-30&to=2025-01-03".to_owned(),
        format!("/stats/top-events?{period}"),
        "/stats/retention?start_date=2025-10-23&windows=3&window_type=day&cohorts=3".to_owned(),
        "/stats/retention?start_date=2025-10-24&windows=1&window_type=day&cohorts=2&cohort=new".to_owned(),
        format!("/stats/trends?{period}&event_type=visit&event_type=buy"),
        format!("/stats/trends?{period}&interval=hour"),
    ] {
        let rollups = get(app, key, question.clone()).await;
        let rows = get(app, key, format!("{question}&source=events")).await;
        assert_eq!(rollups, rows, "{question}");
        answers.push(rollups);
    }
    for list in ["/sessions?limit=1000", "/users?limit=1000", "/users/u5", "/event-types"] {
        answers.push(get(app, key, list.to_owned()).await);
    }
    answers
}

async fn get(app: &App, key: &str, path: String) -> Value {
    let (status, mut answer) = app.admin_as(key, Method::GET, &path, &Value::Null).await;
    assert_eq!(status, 200, "{path}: {answer}");
    // When it was computed.
    answer.as_object_mut().unwrap().remove("as_of");
    answer
}

async fn assert_right(app: &App) {
    for wrong in
        [session_disagreements(&app.pool).await, user_disagreements(&app.pool).await, hour_disagreements(&app.pool).await]
    {
        assert_eq!(wrong, [""; 0]);
    }
}

/// Runs the command with `--json`, when it must succeed.
async fn rebuild(app: &App, arguments: &[&str]) -> Vec<Value> {
    let printed = TestArchive::in_folder().must(app, &[&["rebuild", "--json"], arguments].concat()).await;
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn wrong_entries(rebuilt: &Value) -> u64 {
    rebuilt["wrong"].as_object().unwrap().values().map(|number| number.as_u64().unwrap_or(0)).sum()
}

/// Three projects with the same history in three time zones, folded; returns their keys.
async fn three_zones(app: &App) -> Vec<String> {
    let mut keys = vec![KEY.to_owned()];
    for (project, zone) in [("berlin", "Europe/Berlin"), ("west", "America/St_Johns")] {
        app.make_project(project, zone).await;
        keys.push(app.make_key(project, &["ingest", "read"]).await.key);
    }
    for key in &keys {
        assert_eq!(app.admin_as(key, Method::POST, "/events", &history(key)).await.0, 202);
    }
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_numbers_of_every_kind_and_zone_are_found_and_put_right() {
    let app = App::start().await;
    let keys = three_zones(&app).await;
    let mut before = Vec::new();
    for key in &keys {
        before.push(answers(&app, key).await);
    }
    let right = state(&app).await;
    for rebuilt in rebuild(&app, &[]).await {
        assert_eq!(
            (&rebuilt["rows"], &rebuilt["wrong_days"], wrong_entries(&rebuilt)),
            (&json!(600), &json!([]), 0),
            "{rebuilt}"
        );
    }
    assert_eq!(state(&app).await, right);

    corrupt(&app).await;
    let corrupted = state(&app).await;
    let found = rebuild(&app, &["--dry-run"]).await;
    assert_eq!(state(&app).await, corrupted, "a dry run changes nothing");
    assert_eq!(found.len(), 3);
    for rebuilt in &found {
        let wrong = rebuilt["wrong"].as_object().unwrap();
        assert!(wrong.values().all(|number| number.as_u64().unwrap() >= 3), "{rebuilt}");
        let days = rebuilt["wrong_days"].as_array().unwrap();
        assert!(days.contains(&json!("2025-01-01")) && days.contains(&json!("2025-10-25")), "{rebuilt}");
    }
    assert_eq!(rebuild(&app, &[]).await, found, "a dry run foresees what is replaced");
    assert_eq!(state(&app).await, right);
    for (key, before) in keys.iter().zip(&before) {
        assert_eq!(answers(&app, key).await, *before);
    }
    assert_right(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_are_part_of_the_numbers_and_are_put_right_too() {
    let app = App::start().await;
    // Nobody folds while these locks are held. A rebuild needs them, so they are released before.
    let mut holder = PgConnection::connect(&app.database_url).await.unwrap();
    for lock in [7031, 7035, 7036, 7037] {
        sqlx::query("select pg_advisory_lock($1)").bind(i64::from(lock)).execute(&mut holder).await.unwrap();
    }
    app.send(&history("default")).await;
    app.wait_until_stored().await;
    for statement in [
        "insert into event_counts_delta select * from event_counts_delta where event_type_id = 1",
        "delete from active_users_delta where event_type_id = 0 and day = '2025-10-25'",
        "update sessions_delta set events[1] = 99",
        "update user_activity_delta set first_seens[1] = '2020-01-01'",
    ] {
        assert!(execute(&app, statement).await > 0, "{statement}");
    }
    holder.close().await.unwrap();
    let found = rebuild(&app, &[]).await;
    let wrong = found[0]["wrong"].as_object().unwrap();
    assert!(wrong.values().all(|number| number.as_u64().unwrap() > 0), "{found:?}");
    answers(&app, KEY).await;
    assert_right(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_days_and_the_project_that_were_named_are_rebuilt() {
    let app = App::start().await;
    let keys = three_zones(&app).await;
    corrupt(&app).await;
    let found = rebuild(&app, &["--project", "berlin", "--from", "2025-10-24", "--to", "2025-10-25"]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["days"], &found[0]["wrong_days"], &found[0]["wrong"]["sessions"], &found[0]["wrong"]["users"]),
        (&json!(2), &json!(["2025-10-24", "2025-10-25"]), &Value::Null, &Value::Null)
    );
    let dau = |key: usize, source: &str| get(&app, &keys[key], format!("/stats/dau?from=2025-10-24&to=2025-10-25{source}"));
    assert_eq!(dau(1, "").await, dau(1, "&source=events").await);
    assert_ne!(dau(0, "").await, dau(0, "&source=events").await);
    let left = rebuild(&app, &["--project", "berlin", "--dry-run"]).await;
    let days = left[0]["wrong_days"].as_array().unwrap();
    assert!(days.contains(&json!("2025-10-23")) && !days.contains(&json!("2025-10-24")), "{left:?}");
    let said = TestArchive::in_folder().rollcall(&app, &["rebuild", "--project", "none"]).await;
    assert!(!said.succeeded && said.errors.contains("there is no project none"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_right_when_events_are_stored_and_folded_meanwhile() {
    let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
    app.send(&history("default")).await;
    app.wait_until_stored().await;
    let sending = async {
        for batch in 0..60_u32 {
            let events = (0..50_u32).map(|number| {
                let mut event = history("load")[((batch * 50 + number) % 600) as usize].clone();
                event["event_id"] = json!(format!("load-{batch}-{number}"));
                event["user_id"] = json!(format!("u{}", (batch + number) % 200));
                event
            });
            app.send(&events.collect::<Value>()).await;
        }
    };
    let rebuilding = async {
        for statement in CORRUPTIONS.iter().take(4) {
            execute(&app, statement).await;
            rebuild(&app, &[]).await;
        }
    };
    tokio::join!(sending, rebuilding);
    app.wait_until_stored().await;
    answers(&app, KEY).await;
    assert_right(&app).await;
    let after = rebuild(&app, &[]).await;
    assert_eq!((&after[0]["rows"], wrong_entries(&after[0])), (&json!(3_600), 0), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_without_their_rows_are_refused_by_name() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    app.send(&json!([
        event("1", "u", "t", "2024-03-01T10:00:00Z"),
        event("2", "u", "t", "2024-03-03T10:00:00Z"),
        event("3", "u", "t", "2024-05-01T10:00:00Z"),
    ]))
    .await;
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &["archive", "drop", "--older-than-days", "30"]).await;
    archive.must(&app, &["restore", "--from", "2024-05-01"]).await;
    let before = state(&app).await;
    for arguments in [&["rebuild"][..], &["rebuild", "--to", "2024-03-03"], &["rebuild", "--from", "2024-03-03", "--dry-run"]] {
        let said = archive.rollcall(&app, arguments).await;
        let days = if arguments.contains(&"--from") { "2024-03-03 (UTC)" } else { "2024-03-01, 2024-03-03 (UTC)" };
        let problem = format!("of project default of {days} were dropped after they were archived");
        assert!(!said.succeeded && said.errors.contains(&problem), "{arguments:?} {said:?}");
    }
    assert_eq!(state(&app).await, before);
    execute(&app, "update event_counts set n = 9").await;
    let found = rebuild(&app, &["--from", "2024-03-04"]).await;
    assert_eq!(found[0]["wrong_days"], json!(["2024-05-01"]));
    archive.must(&app, &["restore"]).await;
    assert_eq!(rebuild(&app, &[]).await[0]["wrong_days"], json!(["2024-03-01", "2024-03-03"]));
    assert_eq!(state(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_days_are_refused_and_whoever_was_seen_before_is_not_new() {
    let app = App::start().await;
    let history = History::send(&app).await;
    app.keep_as_in_history().await;
    app.expired(&["--rollups"]).await;
    let new = format!("/stats/retention?start_date={}&windows=1&window_type=day&cohort=new", days_ago(20));
    let newcomers = get(&app, &history.shop, new.clone()).await;
    assert_eq!(newcomers["data"][0]["users_count"], 0);
    // Of the first kept day, in Berlin, some hours have expired.
    let (kept, whole) = (days_ago(30).to_string(), days_ago(29).to_string());
    for arguments in [&["rebuild", "--project", "shop"][..], &["rebuild", "--project", "shop", "--from", &kept]] {
        let said = TestArchive::in_folder().rollcall(&app, arguments).await;
        let problem = format!("the rows of project shop from before {whole} have expired");
        assert!(!said.succeeded && said.errors.contains(&problem), "{said:?}");
    }
    let before = state(&app).await;
    execute(&app, "delete from active_users where project_id = (select id from projects where name = 'shop')").await;
    let found = rebuild(&app, &["--project", "shop", "--from", &whole]).await;
    assert_eq!(found[0]["wrong_days"], json!([days_ago(20), days_ago(3)]));
    assert_eq!(state(&app).await, before);
    assert_eq!(get(&app, &history.shop, new).await, newcomers);
}

/// Waits until the sessions of the command are so many.
async fn wait_for_sessions(app: &App, state: &str, sessions: i64) {
    let statement = format!(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'rollcall-rebuild' {state}"
    );
    wait_until("the sessions of the command", async || {
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(statement.clone())).fetch_one(&app.pool).await.unwrap();
        (found == sessions).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_the_old_numbers_and_the_next_one_goes_on() {
    let app = App::start().await;
    app.send(&history("default")).await;
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    let right = state(&app).await;
    execute(&app, "update event_counts set n = n + 1 where day = '2025-10-25'").await;
    execute(&app, "update sessions set events = events + 1").await;
    for table in ["active_users", "sessions"] {
        let wrong = state(&app).await;
        // Counts are replaced before bitmaps, and sessions deleted before they are inserted.
        let mut blocker = PgConnection::connect(&app.database_url).await.unwrap();
        let lock = format!("begin; lock table {table} in exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut blocker).await.unwrap();
        let (process, _) = app.process("rollcall");
        let mut run: Process = process.with_arguments(&["rebuild"]);
        run.start();
        wait_for_sessions(&app, "and wait_event_type = 'Lock'", 1).await;
        run.kill();
        blocker.close().await.unwrap();
        wait_for_sessions(&app, "", 0).await;
        if table == "active_users" {
            assert_eq!(state(&app).await, wrong);
            // So that the next run comes to the sessions.
            assert_eq!(rebuild(&app, &["--from", "2025-10-01"]).await[0]["wrong_days"], json!(["2025-10-25"]));
        } else {
            assert_eq!(state(&app).await["sessions"], wrong["sessions"]);
        }
    }
    rebuild(&app, &[]).await;
    assert_eq!(state(&app).await, right);
    // Compactors have their locks again.
    app.send(&json!([event("later", "u1", "visit", "2025-10-25T10:00:00Z")])).await;
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    answers(&app, KEY).await;
    assert_right(&app).await;
}
