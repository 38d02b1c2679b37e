//! Expiry: what projects keep no longer is deleted, and nothing else.

use jiff::ToSpan;
use rollcall_tests::{App, History, days_ago, event, wait_until};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// The partitions of both tables.
const PARTITIONS: &str = "
    select inhrelid::regclass::text from pg_inherits
    where inhparent in ('events'::regclass, 'event_ids'::regclass)
    order by 1";

/// Everything that expiry could change.
const STATE: &str = "
    select jsonb_build_object(
        'events', (select jsonb_agg(e order by project_id, event_id) from events e),
        'event_ids', (select jsonb_agg(e order by project_id, event_id) from event_ids e),
        'projects', (select jsonb_agg(p order by id) from projects p),
        'audit_log', (select count(*) from audit_log),
        'event_counts', (select jsonb_agg(c order by project_id, day, event_type_id) from event_counts c),
        'sessions', (select jsonb_agg(s order by project_id, session_id) from sessions s),
        'user_activity', (select jsonb_agg(a order by project_id, ord) from user_activity a),
        'active_users', (select jsonb_agg(a order by project_id, event_type_id, day) from active_users a)
    )";

async fn partitions(app: &App) -> Vec<String> {
    sqlx::query_scalar(PARTITIONS).fetch_all(&app.pool).await.unwrap()
}

async fn state(app: &App) -> Value {
    sqlx::query_scalar(STATE).fetch_one(&app.pool).await.unwrap()
}

/// Without what may differ between two runs.
fn without_sizes(expired: Vec<Value>) -> Vec<Value> {
    expired
        .into_iter()
        .map(|mut entry| {
            let bytes = entry.as_object_mut().unwrap().remove("estimated_bytes").unwrap();
            assert_eq!(bytes.as_u64().unwrap() > 0, entry["events"] != 0, "{entry}");
            entry
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_project_loses_its_own_old_events_and_a_partition_that_all_have_expired() {
    let app = App::start().await;
    History::send(&app).await;
    let before = partitions(&app).await;
    app.keep_as_in_history().await;
    let expired = without_sizes(app.expired(&[]).await);
    let entry = |project: &str, kept_from, events| {
        json!({"project": project, "kept_from": days_ago(kept_from), "events": events, "identities": events, "partitions": 2,
               "rollups": null})
    };
    assert_eq!(expired, [entry("shop", 30, 9), entry("news", 60, 6)]);
    for table in ["events", "event_ids"] {
        assert_eq!(app.rows_by_project(table).await, History::AFTER, "{table}");
    }
    // Of each table, the partition of the day on which only these projects have rows.
    let after = partitions(&app).await;
    let month = days_ago(200).first_of_month();
    let next = month.saturating_add(1.month());
    let gone = |table: &str| format!("{table}_{}_{}", month.strftime("%Y%m%d"), next.strftime("%Y%m%d"));
    let missing: Vec<_> = before.into_iter().filter(|name| !after.contains(name)).collect();
    assert_eq!(missing, [gone("event_ids"), gone("events")]);

    let again = without_sizes(app.expired(&[]).await);
    assert!(again.iter().all(|entry| entry["events"] == 0 && entry["partitions"] == 0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_counts_what_goes_then() {
    let app = App::start().await;
    History::send(&app).await;
    let (succeeded, _, said) = app.expire(&[]).await;
    assert!(succeeded && said.contains("every project keeps its events for ever"), "{said}");
    app.keep_as_in_history().await;
    let before = state(&app).await;
    for arguments in [&[][..], &["--rollups"], &["--project", "news"]] {
        let foreseen = without_sizes(app.expired(&[arguments, &["--dry-run"]].concat()).await);
        assert_eq!(state(&app).await, before, "{arguments:?}");
        assert_eq!(foreseen.len(), if arguments.contains(&"--project") { 1 } else { 2 });
    }
    let foreseen = without_sizes(app.expired(&["--rollups", "--dry-run"]).await);
    assert_eq!(foreseen[0]["rollups"], json!({"days": 3, "sessions": 9, "users": 0}));
    assert_eq!(without_sizes(app.expired(&["--rollups"]).await), foreseen);
    let (_, table, _) = app.expire(&["--dry-run"]).await;
    assert!(table.starts_with(" project") && table.contains("bytes (estimate)") && table.lines().count() == 3, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_project_can_be_expired_alone_and_the_audit_log_says_so() {
    let app = App::start().await;
    let history = History::send(&app).await;
    app.keep_as_in_history().await;
    let before = partitions(&app).await;
    let expired = app.expired(&["--project", "shop"]).await;
    assert_eq!(expired.len(), 1);
    assert_eq!(app.rows_by_project("events").await, [12, 6, 15]);
    // The other project has not expired its rows yet, so they and their partition stay.
    assert_eq!(partitions(&app).await, before);
    let log = async |key: &str| app.admin_as(key, reqwest::Method::GET, "/admin/audit-log", &Value::Null).await.1;
    let logged = log(&history.shop).await;
    let entry = &logged["data"][0];
    assert_eq!(
        (&entry["action"], &entry["by_key_id"], &entry["before"]),
        (&json!("expire"), &Value::Null, &json!({"kept_from": null, "counts_kept_from": null}))
    );
    let after = &entry["after"];
    assert_eq!((&after["kept_from"], &after["counts_kept_from"]), (&json!(days_ago(30)), &Value::Null));
    assert!(after["database_user"].is_string(), "{entry}");
    assert!(log(&history.news).await["data"].as_array().unwrap().iter().all(|entry| entry["action"] != "expire"));

    app.expired(&["--project", "shop"]).await;
    assert_eq!(log(&history.shop).await, logged, "what changes nothing is not in it");
    for name in ["default", "none"] {
        let (succeeded, _, errors) = app.expire(&["--project", name]).await;
        assert!(!succeeded && errors.contains("that keeps its events for a limited time"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_without_a_time_are_kept_when_their_events_are_deleted() {
    let app = App::start().await;
    let undated = json!({"event_id": "once", "event_type": "t", "user_id": "ada"});
    app.send(&undated).await;
    app.wait_until_stored().await;
    // It was sent long ago.
    sqlx::query("update events set occurred_at = occurred_at - interval '40 days'").execute(&app.pool).await.unwrap();
    app.keep_for("default", Some(30)).await;
    assert_eq!(app.expired(&[]).await[0]["events"], 1);
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=30000", &[], undated.to_string()).await;
    assert_eq!((status, &answer["inserted"], &answer["duplicates"]), (200, &json!(0), &json!(1)), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_default_partition_expire_too() {
    let app = App::start().await;
    let from_before_all_months = "1999-12-31T12:00:00Z";
    let partition: String = sqlx::query_scalar("select min(relname)::text from pg_class where relname ~ '^events_1970'")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("drop table {partition}"))).execute(&app.pool).await.unwrap();
    app.send(&json!([event("old", "ada", "t", from_before_all_months)])).await;
    app.wait_until_stored().await;
    let in_default: i64 = sqlx::query_scalar("select count(*) from events_default").fetch_one(&app.pool).await.unwrap();
    assert_eq!(in_default, 1);
    app.keep_for("default", Some(30)).await;
    assert_eq!(app.expired(&[]).await[0]["events"], 1);
    let identities: i64 = sqlx::query_scalar("select count(*) from event_ids").fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, identities), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_expires_by_itself_with_its_own_role_and_leaves_other_projects_alone() {
    let app = App::start().await;
    History::send(&app).await;
    let user = format!("worker_of_{}", app.database_url.rsplit('/').next().unwrap());
    let statement = format!("create role {user} login password 'hush' in role rollcall_worker");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.pool).await.unwrap();
    let (_, server) = app.database_url.split_once('@').unwrap();
    let url = format!("postgres://{user}:hush@{server}");
    let (mut worker, address) = app.process_with("worker", &[("DATABASE_URL", &*url), ("EXPIRE_INTERVAL_MS", "100")]);
    worker.start();
    app.wait_until_ready(&address).await;
    // One after the other: a change of a project is noticed without a restart.
    for (project, days, rows) in [("news", 60, [12, 15, 9]), ("shop", 30, History::AFTER)] {
        app.keep_for(project, Some(days)).await;
        for table in ["events", "event_ids"] {
            let what = format!("the rows of {project} in {table} are gone");
            wait_until(&what, async || (app.rows_by_project(table).await == rows).then_some(())).await;
        }
    }
    let metric = async |name: &str| {
        let text = app.http.get(format!("{address}/metrics")).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
    };
    wait_until("the success is reported", async || metric("rollcall_expire_last_success_timestamp_seconds").await).await;
    assert_eq!(metric("rollcall_expired_events_total").await, Some(15.0));
    assert_eq!(metric("rollcall_expired_identities_total").await, Some(15.0));
    assert_eq!(metric("rollcall_expire_failures_total").await, Some(0.0), "{}", worker.log());
    let changes: i64 =
        sqlx::query_scalar("select count(*) from audit_log where action = 'expire'").fetch_one(&app.pool).await.unwrap();
    assert_eq!(changes, 0, "the policy is in the log, not its daily enforcement");
}
