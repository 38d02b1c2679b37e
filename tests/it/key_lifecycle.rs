//! The life of a key: how it is rotated, how it ends, and how fast every replica and every open stream notices.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rollcall_tests::{App, AppOptions, GraphQlSocket, LiveReader, Process, event, wait_until};
use serde_json::{Value, json};

/// What is promised for the end of a key.
const PROMISE: Duration = Duration::from_secs(5);
/// What a loaded machine may take in addition.
const SLACK: Duration = Duration::from_secs(5);

/// A second replica of the API, and its address.
async fn replica(app: &App) -> (Process, String) {
    let (mut process, url) = app.process("api");
    process.start();
    app.wait_until_ready(&url).await;
    (process, url)
}

/// Waits until an API refuses a key; returns how long that took.
async fn refused(app: &App, url: &str, key: &str) -> Duration {
    let started = Instant::now();
    let is_refused = async || (app.status_of(url, key).await == 401).then_some(());
    wait_until(&format!("{url} refuses the key"), is_refused).await;
    started.elapsed()
}

async fn revoke(app: &App, id: i64) {
    let (status, answer) = app.call(Method::DELETE, &format!("/admin/keys/{id}")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["revoked_at"].is_string(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_on_every_replica_with_a_notice_and_without() {
    let app = App::start().await;
    let (_replica, other_url) = replica(&app).await;
    for notice in [true, false] {
        let key = app.make_key("default", &["read"]).await;
        for url in [&app.url, &other_url] {
            assert_eq!(app.status_of(url, &key.key).await, 200);
        }
        if notice {
            revoke(&app, key.id).await;
        } else {
            sqlx::query("update api_keys set revoked_at = now()").execute(&app.pool).await.unwrap();
        }
        let (own, other) = tokio::join!(refused(&app, &app.url, &key.key), refused(&app, &other_url, &key.key));
        println!("revoked with a notice: {notice}; refused after {own:?} here and {other:?} on the other replica");
        assert!(own.max(other) < PROMISE + SLACK, "{own:?} {other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_their_key() {
    let app = App::start().await;
    let (_replica, other_url) = replica(&app).await;
    let key = app.make_key("default", &["read"]).await;
    let mut streams = Vec::new();
    let mut sockets = Vec::new();
    for url in [&app.url, &other_url] {
        streams.push(LiveReader::of(LiveReader::ask(&app, url, "", &key.key, None).await).await);
        let mut socket = GraphQlSocket::connect(url, &key.key).await;
        socket.subscribe("1", "subscription { events { eventId } }").await;
        sockets.push(socket);
    }
    let started = Instant::now();
    revoke(&app, key.id).await;
    for stream in &mut streams {
        while stream.frame().await.is_some() {}
    }
    for socket in sockets {
        assert_eq!(socket.closed().await, 4403);
    }
    println!("the last of two streams and two sockets ended after {:?}", started.elapsed());
    assert!(started.elapsed() < PROMISE + SLACK, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_key_expires() {
    let app = App::start().await;
    let end = Timestamp::now() + SignedDuration::from_secs(2);
    let fields = json!({"name": "short", "scopes": ["read"], "expires_at": end.to_string()});
    let key = app.make_key_with(fields).await;
    let mut stream = LiveReader::of(LiveReader::ask(&app, &app.url, "", &key.key, None).await).await;
    while stream.frame().await.is_some() {}
    assert!(Timestamp::now() >= end);
    assert_eq!(app.status_of(&app.url, &key.key).await, 401);
}

/// While PostgreSQL is away, keys that were used before remain valid, but not past their end.
#[tokio::test(flavor = "multi_thread")]
async fn a_cached_key_expires_while_the_database_is_away() {
    let mut app = App::start_with(AppOptions { own_postgres: true, workers: 0, ..AppOptions::default() }).await;
    let end = Timestamp::now() + SignedDuration::from_secs(8);
    let short = app.make_key_with(json!({"name": "short", "scopes": ["ingest"], "expires_at": end.to_string()})).await;
    let long = app.make_key("default", &["ingest"]).await;
    let send = async |app: &App, key: &str| {
        let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", key);
        request.json(&event("e", "u", "t", "2026-03-01T10:00:00Z")).send().await.unwrap().status().as_u16()
    };
    assert_eq!([send(&app, &short.key).await, send(&app, &long.key).await], [202; 2]);
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    let refused = wait_until("the key is not accepted any more", async || {
        Some(send(&app, &short.key).await).filter(|status| *status != 202)
    })
    .await;
    assert_eq!(refused, 401);
    assert!(Timestamp::now() >= end);
    assert_eq!(send(&app, &long.key).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_has_the_same_rights_and_the_old_one_ends_after_the_overlap() {
    let app = App::start().await;
    app.make_project("shop", "UTC").await;
    let limits = json!({"requests_per_second": 50, "events_per_second": null});
    let old = app.make_key_with(json!({"project": "shop", "name": "web", "scopes": ["read"], "limits": limits})).await;
    let rotate = async |id: i64, body: Value| app.admin(Method::POST, &format!("/admin/keys/{id}/rotate"), &body).await;
    for seconds in [json!(-1), json!(2_592_001), json!("1")] {
        assert_eq!(rotate(old.id, json!({"overlap_seconds": seconds})).await.0, 422, "{seconds}");
    }
    let (status, new) = rotate(old.id, json!({"overlap_seconds": 3600})).await;
    assert_eq!(status, 201, "{new}");
    let same = ["project", "name", "scopes", "limits", "expires_at", "replaces"].map(|name| new[name].clone());
    assert_eq!(same, [json!("shop"), json!("web"), json!(["read"]), limits, Value::Null, json!(old.id)]);
    let new_key = new["key"].as_str().unwrap();
    assert_eq!([app.status_of(&app.url, &old.key).await, app.status_of(&app.url, new_key).await], [200; 2]);
    let end: f64 = sqlx::query_scalar("select extract(epoch from expires_at - now())::float8 from api_keys where id = $1")
        .bind(i32::try_from(old.id).unwrap())
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!((3_000.0..=3_600.0).contains(&end), "{end}");

    let (status, answer) = rotate(old.id, json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("key_rotated")), "{answer}");
    // Without an overlap, the old key ends at once.
    let new_id = new["key_id"].as_i64().unwrap();
    let (status, third) = rotate(new_id, json!({"overlap_seconds": 0, "expires_at": "2999-01-01T00:00:00Z"})).await;
    assert_eq!((status, &third["expires_at"]), (201, &json!("2999-01-01T00:00:00Z")), "{third}");
    refused(&app, &app.url, new_key).await;
    assert_eq!(app.status_of(&app.url, third["key"].as_str().unwrap()).await, 200);
    let (status, answer) = rotate(new_id, json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("key_ended")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rotations_at_once_one_succeeds() {
    let app = App::start().await;
    let (_replica, other_url) = replica(&app).await;
    for _ in 0..5 {
        let key = app.make_key("default", &["read"]).await;
        let rotate = async |url: &str| {
            let request = app.http.post(format!("{url}/admin/keys/{}/rotate", key.id)).header("X-API-Key", rollcall_tests::KEY);
            request.json(&json!({})).send().await.unwrap().status().as_u16()
        };
        let (one, other) = tokio::join!(rotate(&app.url), rotate(&other_url));
        assert_eq!((one.min(other), one.max(other)), (201, 409));
    }
}

/// A replica may have cached the grant of a key that was revoked on another, but it changes nothing with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_makes_no_keys_while_it_is_still_cached() {
    let app = App::start().await;
    let key = app.make_key("default", &["admin"]).await;
    let get = async || app.get_as(&key.key, "/admin/keys", &[]).await.0;
    assert_eq!(get().await, 200);
    sqlx::query("update api_keys set revoked_at = now()").execute(&app.pool).await.unwrap();
    let change = async |method: Method, path: &str, body: Value| app.admin_as(&key.key, method, path, &body).await.0;
    assert_eq!(change(Method::POST, "/admin/keys", json!({"name": "a", "scopes": ["admin"]})).await, 401);
    assert_eq!(change(Method::POST, &format!("/admin/keys/{}/rotate", key.id), json!({})).await, 401);
    assert_eq!(change(Method::PATCH, "/admin/projects/default", json!({"retention_days": 1})).await, 401);
    assert_eq!(app.get("/admin/keys").await.1["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_listed() {
    let app = App::start().await;
    let key = app.make_key("default", &["read"]).await;
    let last_use = async || app.get("/admin/keys").await.1["data"][0]["last_used_at"].as_str().map(str::to_owned);
    assert_eq!(last_use().await, None);
    let before = Timestamp::now();
    assert_eq!(app.status_of(&app.url, &key.key).await, 200);
    let used = wait_until("the use is written", last_use).await;
    let used: Timestamp = used.parse().unwrap();
    assert!(before - SignedDuration::from_secs(1) <= used && used <= Timestamp::now(), "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_revoke_itself_and_the_last_admin_key_of_a_project_can_be_replaced() {
    let app = App::start().await;
    app.make_project("shop", "UTC").await;
    let key = app.make_key("shop", &["admin"]).await;
    let (status, answer) = app.admin_as(&key.key, Method::DELETE, &format!("/admin/keys/{}", key.id), &Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    refused(&app, &app.url, &key.key).await;
    let next = app.make_key("shop", &["admin"]).await;
    assert_eq!(app.status_of(&app.url, &next.key).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_that_revoke_each_other_do_not_deadlock() {
    let app = App::start().await;
    for _ in 0..5 {
        let (one, other) = (app.make_key("default", &["admin"]).await, app.make_key("default", &["admin"]).await);
        let revoke =
            async |by: &str, id: i64| app.admin_as(by, Method::DELETE, &format!("/admin/keys/{id}"), &Value::Null).await.0;
        let (first, second) = tokio::join!(revoke(&one.key, other.id), revoke(&other.key, one.id));
        // Whoever comes second is revoked already.
        assert_eq!((first.min(second), first.max(second)), (200, 401));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_contains_a_key() {
    let app = App::start_without_workers(Vec::new()).await;
    let (mut process, url) = app.process_with("api", &[("LOG_LEVEL", "trace")]);
    process.start();
    app.wait_until_ready(&url).await;
    let post = async |path: &str, body: Value| -> String {
        let request = app.http.post(format!("{url}{path}")).header("X-API-Key", rollcall_tests::KEY).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["key"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let keys = [
        post("/admin/keys", json!({"name": "a", "scopes": ["read"]})).await,
        post("/admin/keys/1/rotate", json!({})).await,
        "rk_wrong_and_long_enough".to_owned(),
    ];
    for (key, status) in keys.iter().zip([200, 200, 401]) {
        assert_eq!(app.status_of(&url, key).await, status);
    }
    process.stop().await.unwrap();
    let log = process.log();
    assert!(log.contains("a key was rotated") && log.contains("TRACE"), "{log}");
    for key in &keys {
        assert!(!log.contains(&key[3..]), "a line contains a key");
    }
}
