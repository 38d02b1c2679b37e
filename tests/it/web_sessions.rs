//! Sessions of the dashboard: how they begin, what they allow, which requests they count for, and how they end.

use reqwest::{Method, header};
use rollcall_tests::{App, AppOptions, KEY, LiveReader, Process, SAME_ORIGIN, WebSession, wait_until};
use serde_json::{Value, json};

const ASKS: &str = "/stats/top-events";

/// A second replica of the API, and its address.
async fn replica(app: &App, variables: &[(&'static str, &str)]) -> (Process, String) {
    let (mut process, url) = app.process_with("api", variables);
    process.start();
    app.wait_until_ready(&url).await;
    (process, url)
}

/// Waits until the session counts for nothing at any of these addresses.
async fn ended(app: &App, urls: &[&str], session: &WebSession) {
    for url in urls {
        wait_until(&format!("the session ends at {url}"), async || (session.status(app, url, ASKS).await == 401).then_some(()))
            .await;
        assert_eq!(session.shown(app, url).await, Value::Null, "{url}");
    }
}

async fn sessions(app: &App) -> i64 {
    sqlx::query_scalar("select count(*) from web_sessions").fetch_one(&app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_what_its_key_allows() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "Europe/Berlin").await;
    app.add_key("shop", "reader", &["read"]).await;
    app.add_key("shop", "administrator", &["admin"]).await;
    for (key, project, zone, scopes, is_installation) in [
        ("reader", "shop", "Europe/Berlin", json!(["read"]), false),
        ("administrator", "shop", "Europe/Berlin", json!(["ingest", "read", "admin"]), false),
        (KEY, "default", "UTC", json!(["ingest", "read", "admin"]), true),
    ] {
        let session = WebSession::begin(&app, &app.url, key).await;
        assert_eq!(session.attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
        let mut shown = session.shown(&app, &app.url).await;
        let expires_at = shown.as_object_mut().unwrap().remove("expires_at").unwrap();
        let expected = json!({"project": project, "time_zone": zone, "scopes": scopes, "installation": is_installation});
        assert_eq!(shown, expected, "{key}");
        let left = expires_at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
        assert!((1..=12 * 3600).contains(&left.as_secs()), "{left}");
        let may_administer = if key == "reader" { 403 } else { 200 };
        assert_eq!(session.status(&app, &app.url, ASKS).await, 200);
        assert_eq!(session.status(&app, &app.url, "/admin/keys").await, may_administer, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_being_signed_in_is_no_error_and_a_wrong_key_begins_nothing() {
    let app = App::start_without_workers(Vec::new()).await;
    let shown = app.http.get(format!("{}/ui/session", app.url)).send().await.unwrap();
    assert_eq!((shown.status().as_u16(), shown.json::<Value>().await.unwrap()), (200, Value::Null));
    let refused = WebSession::ask(&app, &app.url, "rk_wrong", &[]).await;
    assert_eq!(refused.status(), 401);
    assert!(!refused.headers().contains_key(header::SET_COOKIE));
    assert_eq!(sessions(&app).await, 0);
    for (body, status) in [
        ("{}", 400),
        (r#"{"key":1}"#, 400),
        (r#"{"key":"k","name":"x"}"#, 400),
        ("rk_secret", 400),
        (&format!(r#"{{"key":"{}"}}"#, "k".repeat(5000)), 413),
    ] {
        let request = app.http.post(format!("{}/ui/session", app.url)).header("Content-Type", "application/json");
        let response = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        assert!(!response.text().await.unwrap().contains("rk_secret"), "an error quotes no key");
    }
    let form = app.http.post(format!("{}/ui/session", app.url)).header("Content-Type", "text/plain").body(r#"{"key":"k"}"#);
    assert_eq!(form.send().await.unwrap().status(), 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_knows_only_the_hash_of_a_session() {
    let app = App::start_without_workers(Vec::new()).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    let token = session.cookie.split_once('=').unwrap().1;
    let statement = "select count(*) from web_sessions where token_hash = sha256($1::bytea) and key_hash = sha256($2::bytea)";
    let known: i64 = sqlx::query_scalar(statement).bind(token).bind(KEY).fetch_one(&app.pool).await.unwrap();
    assert_eq!((known, sessions(&app).await), (1, 1));
    let row: String = sqlx::query_scalar("select s::text from web_sessions s").fetch_one(&app.pool).await.unwrap();
    assert!(!row.contains(token) && !row.contains(KEY), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_is_one_that_nobody_can_plant() {
    let app = App::start_without_workers(Vec::new()).await;
    let host = app.url.trim_start_matches("http://");
    // A proxy that ends TLS leaves only this trace of it.
    let response = WebSession::ask(&app, &app.url, KEY, &[("Origin", &format!("https://{host}"))]).await;
    assert_eq!(response.status(), 201);
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-rollcall_session=") && cookie.ends_with("; SameSite=Strict; Secure"), "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_a_session_on_every_replica() {
    let app = App::start_without_workers(Vec::new()).await;
    let (_replica, other) = replica(&app, &[]).await;
    let [session, bystander] = [WebSession::begin(&app, &app.url, KEY).await, WebSession::begin(&app, &other, KEY).await];
    for url in [&app.url, &other] {
        assert_eq!((session.status(&app, url, ASKS).await, bystander.status(&app, url, ASKS).await), (200, 200), "{url}");
    }
    session.end(&app, &app.url).await;
    assert_eq!(session.status(&app, &app.url, ASKS).await, 401, "here at once");
    ended(&app, &[&app.url, &other], &session).await;
    for url in [&app.url, &other] {
        assert_eq!(bystander.status(&app, url, ASKS).await, 200, "the other session of the same key goes on at {url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_key() {
    let app = App::start_without_workers(Vec::new()).await;
    let (_replica, other) = replica(&app, &[]).await;
    let [revoked, rotated, expired] = [
        app.make_key("default", &["read"]).await,
        app.make_key("default", &["read"]).await,
        app.make_key("default", &["read"]).await,
    ];
    let mut begun = Vec::new();
    for key in [&revoked, &rotated, &expired] {
        let session = WebSession::begin(&app, &app.url, &key.key).await;
        assert_eq!((session.status(&app, &app.url, ASKS).await, session.status(&app, &other, ASKS).await), (200, 200));
        begun.push(session);
    }
    let (status, answer) = app.call(Method::DELETE, &format!("/admin/keys/{}", revoked.id)).await;
    assert_eq!(status, 200, "{answer}");
    let rotate = format!("/admin/keys/{}/rotate", rotated.id);
    let (status, answer) = app.admin(Method::POST, &rotate, &json!({"overlap_seconds": 0})).await;
    assert_eq!(status, 201, "{answer}");
    let expire = "update api_keys set expires_at = now() where id = $1";
    sqlx::query(expire).bind(i32::try_from(expired.id).unwrap()).execute(&app.pool).await.unwrap();
    for session in &begun {
        ended(&app, &[&app.url, &other], session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_no_longer_than_its_key_and_expired_ones_are_removed() {
    let app = App::start_without_workers(Vec::new()).await;
    let key = app.make_key("default", &["read"]).await;
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let statement = "update api_keys set expires_at = $1::text::timestamptz";
    sqlx::query(statement).bind(end.to_string()).execute(&app.pool).await.unwrap();
    let session = WebSession::begin(&app, &app.url, &key.key).await;
    let shown = session.shown(&app, &app.url).await;
    let until: jiff::Timestamp = shown["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(until.duration_since(end).abs() < jiff::SignedDuration::from_secs(1), "{until} {end}");
    sqlx::query("update web_sessions set expires_at = now()").execute(&app.pool).await.unwrap();
    ended(&app, &[&app.url], &session).await;
    WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!(sessions(&app).await, 1, "only the new one is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_session_makes_room_when_a_key_has_a_hundred() {
    let app = App::start_without_workers(Vec::new()).await;
    let first = WebSession::begin(&app, &app.url, KEY).await;
    let fill = "insert into web_sessions (token_hash, key_hash, created_at, expires_at) \
                select sha256(n::text::bytea), sha256($1::bytea), now() + n * interval '1 ms', now() + interval '1 hour' \
                from generate_series(1, 98) n";
    sqlx::query(fill).bind(KEY).execute(&app.pool).await.unwrap();
    let hundredth = WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!((sessions(&app).await, first.status(&app, &app.url, ASKS).await), (100, 200));
    WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!(sessions(&app).await, 100);
    ended(&app, &[&app.url], &first).await;
    assert_eq!(hundredth.status(&app, &app.url, ASKS).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_counts_only_for_requests_of_the_dashboards_own_pages() {
    let app = App::start_without_workers(Vec::new()).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    let body = r#"{"event_type":"t","user_id":1}"#;
    let json = ("Content-Type", "application/json");
    let own = app.url.as_str();
    // A page on another port of the same host: the browser sends the cookie, although it is SameSite=Strict.
    let neighbour = "http://127.0.0.1:1";
    for (headers, may_send) in [
        (&[SAME_ORIGIN, json][..], true),
        (&[("Origin", own), json], true),
        (&[("Sec-Fetch-Site", "same-site"), ("Origin", neighbour), json], false),
        (&[("Sec-Fetch-Site", "cross-site"), json], false),
        (&[("Origin", neighbour), json], false),
        (&[("Origin", "null"), json], false),
        (&[json], false),
        (&[SAME_ORIGIN, ("Content-Type", "text/plain")], false),
        (&[SAME_ORIGIN], false),
    ] {
        let mut request = session.request(&app, Method::POST, &format!("{}/events", app.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, if may_send { 202 } else { 401 }, "{headers:?}");
    }
    for (headers, may_read) in [
        (&[][..], true),
        (&[("Origin", own)], true),
        (&[("Origin", neighbour)], false),
        (&[("Sec-Fetch-Site", "cross-site")], false),
        (&[("Sec-Fetch-Site", "none")], false),
    ] {
        let mut request = session.request(&app, Method::GET, &format!("{}{ASKS}", app.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), if may_read { 200 } else { 401 }, "{headers:?}");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "no other page may read the answer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_can_sign_nobody_in_or_out() {
    let app = App::start_without_workers(Vec::new()).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    for headers in [[("Sec-Fetch-Site", "same-site")], [("Origin", "http://127.0.0.1:1")]] {
        assert_eq!(WebSession::ask(&app, &app.url, KEY, &headers).await.status(), 403, "{headers:?}");
        let [(name, value)] = headers;
        let request = session.request(&app, Method::DELETE, &format!("{}/ui/session", app.url)).header(name, value);
        assert_eq!(request.send().await.unwrap().status(), 403, "{headers:?}");
    }
    assert_eq!((sessions(&app).await, session.status(&app, &app.url, ASKS).await), (1, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_wins_over_a_cookie() {
    let app = App::start_without_workers(Vec::new()).await;
    app.add_key("other", "other-key", &["read"]).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    let ask = async |key: &str| {
        let request = session.request(&app, Method::GET, &format!("{}/admin/keys", app.url)).header(SAME_ORIGIN.0, SAME_ORIGIN.1);
        request.header("X-API-Key", key).send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("other-key").await, ask("wrong").await), (403, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_live_events_is_opened_by_a_cookie_and_ends_when_somebody_signs_out() {
    let app = App::start_without_workers(Vec::new()).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    let request = session.request(&app, Method::GET, &format!("{}/live", app.url)).header(SAME_ORIGIN.0, SAME_ORIGIN.1);
    let mut stream = LiveReader::of(request.send().await.unwrap()).await;
    session.end(&app, &app.url).await;
    while stream.frame().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dashboard_no_cookie_counts() {
    let app = App::start_without_workers(Vec::new()).await;
    let (_replica, other) = replica(&app, &[("DASHBOARD_ACCESS", "off")]).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!((session.status(&app, &app.url, ASKS).await, session.status(&app, &other, ASKS).await), (200, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_cookies_are_limited_like_invented_keys() {
    let app = App::start_without_workers(vec![("UNKNOWN_KEYS_PER_SECOND_PER_ADDRESS", "1".to_owned())]).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!(session.status(&app, &app.url, ASKS).await, 200);
    let mut statuses = Vec::new();
    for n in 0..20 {
        let invented = WebSession { cookie: format!("rollcall_session={n:064x}"), attributes: String::new() };
        statuses.push(invented.status(&app, &app.url, ASKS).await);
    }
    assert!(statuses.iter().all(|status| [401, 429].contains(status)) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(session.status(&app, &app.url, ASKS).await, 200, "whoever is signed in notices nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_a_known_session_sees_the_pipeline() {
    let mut app = App::start_with(AppOptions { own_postgres: true, workers: 0, ..AppOptions::default() }).await;
    let session = WebSession::begin(&app, &app.url, KEY).await;
    assert_eq!(session.status(&app, &app.url, "/pipeline").await, 200);
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    wait_until("the API misses PostgreSQL", async || {
        let (_, answer) = app.get("/health/ready").await;
        (answer["dependencies"]["postgres"] == "down").then_some(())
    })
    .await;
    assert_eq!(session.status(&app, &app.url, "/pipeline").await, 200);
    assert_eq!(session.status(&app, &app.url, ASKS).await, 503);
    assert_eq!(WebSession::ask(&app, &app.url, KEY, &[]).await.status(), 503, "but no session can begin");
}
