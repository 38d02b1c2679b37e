//! Changes of schemas: who may make them, who notices them, and what is kept about them.

use reqwest::Method;
use rollcall_tests::{App, AppOptions, KEY, Process, wait_until};
use serde_json::{Value, json};

fn bad(event_type: &str) -> Value {
    json!({"event_id": "e", "user_id": "u", "event_type": event_type, "properties": {"n": 1}})
}

/// What `bad` does not match.
fn empty() -> Value {
    json!({"maxProperties": 0})
}

async fn replica(app: &App) -> (Process, String) {
    let (mut process, url) = app.process("api");
    process.start();
    app.wait_until_ready(&url).await;
    (process, url)
}

/// The status of a bad event, sent to the API at this address.
async fn status(app: &App, url: &str, key: &str) -> u16 {
    let request = app.http.post(format!("{url}/events")).header("X-API-Key", key).json(&bad("t"));
    request.send().await.unwrap().status().as_u16()
}

async fn wait_until_status_is(app: &App, url: &str, key: &str, expected: u16) {
    let is_expected = async || (status(app, url, key).await == expected).then_some(());
    wait_until(&format!("{url} answers {expected}"), is_expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_sees_a_new_schema_another_mode_and_a_removal() {
    let app = App::start_without_workers(Vec::new()).await;
    let (_replica, other) = replica(&app).await;
    app.make_project("shop", "UTC").await;
    let shop = app.make_key("shop", &["admin"]).await.key;
    for key in [KEY, &shop] {
        let set = async |mode: &str, schema: &Value| {
            let body = json!({"mode": mode, "schema": schema});
            let (status, answer) = app.admin_as(key, Method::PUT, "/admin/schemas/t", &body).await;
            assert_eq!(status, 200, "{answer}");
        };
        for url in [&app.url, &other] {
            assert_eq!(status(&app, url, key).await, 202);
        }
        for (mode, schema, expected) in [
            ("reject", empty(), 422),
            ("warn", empty(), 202),
            ("reject", empty(), 422),
            ("reject", json!({}), 202),
            ("reject", json!({"required": ["m"]}), 422),
        ] {
            set(mode, &schema).await;
            // The replica that made the change uses it at once.
            assert_eq!(status(&app, &app.url, key).await, expected, "{mode} {schema}");
            wait_until_status_is(&app, &other, key, expected).await;
        }
        let (removed, _) = app.admin_as(key, Method::DELETE, "/admin/schemas/t", &Value::Null).await;
        assert_eq!(removed, 200);
        assert_eq!(status(&app, &app.url, key).await, 202);
        wait_until_status_is(&app, &other, key, 202).await;
    }
}

/// A notice may be lost: the caches are trusted for a few seconds only.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_a_notice_is_seen_too() {
    let app = App::start_without_workers(Vec::new()).await;
    app.set_schema("t", "warn", &empty()).await;
    assert_eq!(status(&app, &app.url, KEY).await, 202);
    let change =
        "update event_schemas set id = default, mode = 'reject'; update projects set schemas_revision = schemas_revision + 1";
    sqlx::raw_sql(change).execute(&app.pool).await.unwrap();
    wait_until_status_is(&app, &app.url, KEY, 422).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_hold_while_the_database_is_away() {
    let mut app = App::start_with(AppOptions { own_postgres: true, workers: 0, ..AppOptions::default() }).await;
    app.set_schema("t", "reject", &empty()).await;
    let key = app.make_key("default", &["ingest"]).await.key;
    assert_eq!(status(&app, &app.url, &key).await, 422);
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    wait_until("the API notices", async || {
        let (_, ready) = app.get("/health/ready").await;
        (ready["status"] == "degraded").then_some(())
    })
    .await;
    for key in [&key, KEY] {
        assert_eq!(status(&app, &app.url, key).await, 422);
        let good = json!({"user_id": "u", "event_type": "t"});
        let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", key).json(&good);
        assert_eq!(request.send().await.unwrap().status(), 202);
    }
    // What was counted meanwhile is written when it is back.
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.restart()).unwrap();
    app.wait_until_violations_are("t", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_begins_anew_with_every_change_and_only_then() {
    let app = App::start_without_workers(Vec::new()).await;
    app.set_schema("t", "reject", &empty()).await;
    assert_eq!(status(&app, &app.url, KEY).await, 422);
    let counted = app.wait_until_violations_are("t", 1).await;
    let again = app.set_schema("t", "reject", &empty()).await;
    assert_eq!((&again["violations"], &again["changed_at"]), (&json!(1), &counted["changed_at"]), "{again}");
    let changed = app.set_schema("t", "warn", &empty()).await;
    assert_eq!(
        (&changed["violations"], &changed["samples"], &changed["last_violation_at"]),
        (&json!(0), &json!([]), &Value::Null)
    );
    assert_eq!(status(&app, &app.url, KEY).await, 202);
    app.wait_until_violations_are("t", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_audit_log_once() {
    let app = App::start_without_workers(Vec::new()).await;
    let large = json!({"enum": ["x".repeat(5_000)]});
    for _ in 0..2 {
        // The second changes nothing.
        app.set_schema("t", "warn", &empty()).await;
    }
    app.set_schema("t", "reject", &large).await;
    for status in [200, 404] {
        assert_eq!(app.call(Method::DELETE, "/admin/schemas/t").await.0, status);
    }
    let (_, log) = app.get("/admin/audit-log").await;
    let shown: Vec<_> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(
                (&entry["project"], &entry["key_id"], &entry["by_key_id"]),
                (&json!("default"), &Value::Null, &Value::Null)
            );
            let of = |side: &str| {
                json!([entry[side]["event_type"], entry[side]["mode"], entry[side]["schema_bytes"], entry[side]["schema"]])
            };
            json!([entry["action"], of("before"), of("after")])
        })
        .collect();
    let (none, first) = (json!([null, null, null, null]), json!(["t", "warn", 19, empty()]));
    // A large one is known by its hash.
    let second = json!(["t", "reject", large.to_string().len(), null]);
    assert_eq!(
        shown,
        [json!(["remove_schema", second, none]), json!(["set_schema", first, second]), json!(["set_schema", none, first]),]
    );
    let hash = log["data"][0]["before"]["schema_sha256"].as_str().unwrap();
    let expected: String =
        sqlx::query_scalar("select encode(sha256($1::bytea), 'hex')").bind(large.to_string()).fetch_one(&app.pool).await.unwrap();
    assert_eq!(hash, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_installation_governs_the_schemas_of_every_project() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let shop = app.make_key("shop", &["admin"]).await.key;
    let body = json!({"mode": "reject", "schema": empty()});
    assert_eq!(app.admin(Method::PUT, "/admin/schemas/t?project=shop", &body).await.0, 200);
    assert_eq!(app.admin_as(&shop, Method::PUT, "/admin/schemas/u", &body).await.0, 200);
    let types =
        |listed: Value| listed["data"].as_array().unwrap().iter().map(|schema| schema["event_type"].clone()).collect::<Vec<_>>();
    assert_eq!(types(app.get("/admin/schemas?project=shop").await.1), ["t", "u"]);
    assert_eq!(types(app.get_as(&shop, "/admin/schemas", &[]).await.1), ["t", "u"]);
    assert_eq!(types(app.get("/admin/schemas").await.1), [""; 0]);
    assert_eq!(status(&app, &app.url, &shop).await, 422);
    assert_eq!(status(&app, &app.url, KEY).await, 202);
    for path in ["/admin/schemas?project=none", "/admin/schemas/t?project=none"] {
        assert_eq!(app.get(path).await.0, 404, "{path}");
    }
    // Page by page.
    let (_, first) = app.get("/admin/schemas?project=shop&limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = app.get(&format!("/admin/schemas?project=shop&limit=1&cursor={cursor}")).await;
    assert_eq!(
        (types(first.clone()), types(second.clone()), &second["next_cursor"]),
        (vec![json!("t")], vec![json!("u")], &Value::Null)
    );
}
