//! The audit log and dead letters, and what administration says while PostgreSQL is away.

use reqwest::Method;
use rollcall_tests::{App, AppOptions, KEY, Poison, binary, event, wait_until};
use serde_json::{Value, json};

const LETTERS: &str = "/admin/dead-letters";

/// Sends events that PostgreSQL refuses, and returns their dead letters by event id.
async fn bury(app: &App, ids: &[&str]) -> Vec<Value> {
    Poison::lay(&app.pool).await;
    let bad = |id: &&str| Poison::in_event(event(id, "u", "t", "2026-03-01T10:00:00Z"));
    app.send(&json!(ids.iter().map(bad).collect::<Vec<_>>())).await;
    let mut letters = wait_until("all are dead letters", async || {
        let letters = letters(app).await;
        (letters.len() == ids.len()).then_some(letters)
    })
    .await;
    letters.sort_by_key(|letter| letter["event_id"].as_str().unwrap().to_owned());
    letters
}

async fn letters(app: &App) -> Vec<Value> {
    let (status, answer) = app.get(LETTERS).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().clone()
}

/// What the log says about dead letters, latest first, without numbers and times.
async fn logged(app: &App) -> Vec<Value> {
    let (status, answer) = app.get("/admin/audit-log").await;
    assert_eq!(status, 200, "{answer}");
    let mut entries = answer["data"].as_array().unwrap().clone();
    entries.retain(|entry| entry["action"].as_str().unwrap().ends_with("dead_letters"));
    for entry in &mut entries {
        for varying in ["id", "at", "request_id"] {
            let removed = entry.as_object_mut().unwrap().remove(varying);
            assert!(removed.is_some_and(|value| !value.is_null()), "{varying}");
        }
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_dead_letters_is_in_the_audit_log() {
    let app = App::start().await;
    let admin = app.make_key("default", &["admin"]).await;
    let buried = bury(&app, &["bad-0", "bad-1", "bad-2"]).await;
    let id = |n: usize| buried[n]["id"].as_str().unwrap();
    assert_eq!(app.call(Method::DELETE, &format!("{LETTERS}?all=true&dry_run=true")).await.0, 200);
    assert_eq!(app.call(Method::DELETE, &format!("{LETTERS}?event_id=none")).await.1["matched"], 0);
    assert_eq!(logged(&app).await, [Value::Null; 0], "nothing was changed");

    let (status, _) = app.admin_as(&admin.key, Method::DELETE, &format!("{LETTERS}/{}", id(0)), &Value::Null).await;
    assert_eq!(status, 200);
    Poison::lift(&app.pool).await;
    let mut command = std::process::Command::new(binary("rollcall"));
    command.args(["dead-letters", "redrive", "--all"]).env("ROLLCALL_URL", &app.url).env("API_KEY", &admin.key);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(letters(&app).await, [Value::Null; 0]);

    let named = |n: usize| json!({"id": id(n), "code": "refused", "event_id": format!("bad-{n}")});
    // Letters of one message come in no particular order.
    let mut redriven = [1, 2];
    redriven.sort_by_key(|n| id(*n).parse::<u64>().unwrap());
    let by = |action: &str, before: Value| json!({"action": action, "project": "default", "by_key_id": admin.id, "key_id": null, "before": before, "after": null});
    let both = json!({"matched": 2, "events_count": 2, "last_id": id(redriven[1]), "letters": redriven.map(named)});
    let one = json!({"matched": 1, "events_count": 1, "last_id": id(0), "letters": [named(0)]});
    assert_eq!(logged(&app).await, [by("redrive_dead_letters", both), by("purge_dead_letters", one)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_about_many_dead_letters_names_only_some_of_them() {
    let app = App::start().await;
    let ids: Vec<_> = (0..30).map(|n| format!("bad-{n:02}")).collect();
    bury(&app, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(app.call(Method::DELETE, &format!("{LETTERS}?all=true")).await.1["purged"], 30);
    let entries = logged(&app).await;
    assert_eq!([&entries[0]["before"]["matched"], &entries[0]["before"]["events_count"]], [30, 30]);
    assert_eq!(entries[0]["before"]["letters"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_just_revoked_changes_no_dead_letter() {
    let app = App::start().await;
    let admin = app.make_key("default", &["admin"]).await;
    bury(&app, &["bad"]).await;
    let purge = async || app.admin_as(&admin.key, Method::DELETE, &format!("{LETTERS}?all=true"), &Value::Null).await.0;
    // The API looks the key up, and trusts it for a while.
    assert_eq!(app.status_of(&app.url, &admin.key).await, 200);
    // Without the notice that a revocation over HTTP sends.
    sqlx::query("update api_keys set revoked_at = now()").execute(&app.pool).await.unwrap();
    assert_eq!(purge().await, 401);
    assert_eq!((letters(&app).await.len(), logged(&app).await.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_administration_says_that_it_is_away() {
    let variables = vec![("DATABASE_ACQUIRE_TIMEOUT_MS", "300".to_owned())];
    let mut app = App::start_with(AppOptions { own_postgres: true, variables, ..AppOptions::default() }).await;
    app.make_key("default", &["read"]).await;
    bury(&app, &["bad"]).await;
    tokio::task::block_in_place(|| app.postgres.as_mut().unwrap().kill());
    let key = json!({"name": "a", "scopes": ["read"]});
    for (method, path, body) in [
        (Method::GET, "/admin/projects", Value::Null),
        (Method::POST, "/admin/projects", json!({"name": "shop"})),
        (Method::PATCH, "/admin/projects/default", json!({"retention_days": 30})),
        (Method::GET, "/admin/keys", Value::Null),
        (Method::POST, "/admin/keys", key),
        (Method::POST, "/admin/keys/1/rotate", json!({})),
        (Method::DELETE, "/admin/keys/1", Value::Null),
        (Method::GET, "/admin/audit-log", Value::Null),
        (Method::POST, "/admin/dead-letters/redrive", Value::Null),
        (Method::DELETE, "/admin/dead-letters?all=true", Value::Null),
    ] {
        let (status, answer) = app.admin(method.clone(), path, &body).await;
        assert_eq!((status, &answer["code"]), (503, &json!("database_unavailable")), "{method} {path}: {answer}");
    }
    assert_eq!(letters(&app).await.len(), 1, "what cannot be written down is not done");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_project_make_a_limited_number_of_changes_a_day() {
    let app = App::start_without_workers(Vec::new()).await;
    // With the two keys that are made next, and without the changes of the day before, one more is possible.
    let fill = "insert into audit_log (at, request_id, action, project_id)
                select now() - age, 'r', 'change_project', 1
                from (values (interval '25 hours', 3), ('23 hours', 9997)) as old (age, count)
                cross join generate_series(1, count)";
    sqlx::query(fill).execute(&app.pool).await.unwrap();
    let (admin, stolen) = (app.make_key("default", &["admin"]).await, app.make_key("default", &["admin"]).await);
    app.make_project("other", "UTC").await;
    let other = app.make_key("other", &["admin"]).await;
    let change = async |key: &str, project: &str, days: u32| {
        let path = format!("/admin/projects/{project}");
        let (status, answer) = app.admin_as(key, Method::PATCH, &path, &json!({"retention_days": days})).await;
        (status, answer["code"].clone())
    };
    assert_eq!(change(&admin.key, "default", 1).await.0, 200);
    assert_eq!(change(&admin.key, "default", 2).await, (429, json!("too_many_changes")));
    assert_eq!(app.get("/admin/projects").await.1["data"][0]["retention_days"], 1, "nothing was changed");
    assert_eq!(change(&other.key, "other", 3).await.0, 200, "each project has its own limit");
    assert_eq!(change(KEY, "default", 3).await.0, 200, "the operator has none");
    let revoke = format!("/admin/keys/{}", stolen.id);
    assert_eq!(app.admin_as(&admin.key, Method::DELETE, &revoke, &Value::Null).await.0, 200, "and a key can be revoked");
    sqlx::query("update audit_log set at = at - interval '2 hours'").execute(&app.pool).await.unwrap();
    assert_eq!(change(&admin.key, "default", 4).await.0, 200);
}
