//! Keys: who may do what.

use rollcall_tests::{App, KEY, event};
use serde_json::{Value, json};

async fn status(app: &App, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = app.http.get(format!("{}{path}", app.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_from_either_header() {
    let app = App::start().await;
    let bearer = format!("Bearer {KEY}");
    assert_eq!(status(&app, "/stats/dau", &[("X-API-Key", KEY)]).await, 200);
    assert_eq!(status(&app, "/stats/dau", &[("Authorization", &bearer)]).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_key_nothing_is_answered() {
    let app = App::start().await;
    for headers in [&[][..], &[("X-API-Key", "wrong")], &[("X-API-Key", "")], &[("Authorization", "Basic dGVzdA==")]] {
        assert_eq!(status(&app, "/stats/dau", headers).await, 401, "{headers:?}");
    }
    let response = app.http.post(format!("{}/events", app.url)).body("{}").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let answer: Value = response.json().await.unwrap();
    let message = "send a valid API key in X-API-Key, or in Authorization as a Bearer token";
    assert_eq!(
        answer,
        json!({"type": "urn:rollcall:problem:unauthorized", "title": "Unauthorized", "status": 401, "code": "unauthorized",
               "detail": message, "message": message})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_only_what_its_scopes_say() {
    let app = App::start().await;
    app.add_key("default", "only-ingest", &["ingest"]).await;
    app.add_key("default", "only-read", &["read"]).await;
    app.add_key("default", "admin", &["admin"]).await;
    let post = async |key: &str| {
        let request =
            app.http.post(format!("{}/events", app.url)).header("X-API-Key", key).header("Content-Type", "application/json");
        request.body(r#"{"event_type":"t","user_id":1}"#).send().await.unwrap().status().as_u16()
    };
    for (key, may_send, may_read) in [("only-ingest", 202, 403), ("only-read", 403, 200), ("admin", 202, 200)] {
        assert_eq!((post(key).await, status(&app, "/stats/dau", &[("X-API-Key", key)]).await), (may_send, may_read), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_do_not_see_each_other() {
    let app = App::start().await;
    app.add_key("other", "other-key", &["ingest", "read"]).await;
    app.send(&json!([event("same", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "other-key");
    let body = json!([event("same", "bob", "signup", "2025-10-01T10:00:00Z")]);
    assert_eq!(request.json(&body).send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    let days = "from=2025-10-01&to=2025-10-01";
    assert_eq!(app.ask(&format!("/stats/top-events?{days}")).await, json!({"data": [{"event_type": "login", "count": 1}]}));
    let request = app.http.get(format!("{}/stats/top-events?{days}", app.url)).header("X-API-Key", "other-key");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": [{"event_type": "signup", "count": 1}]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_working_within_five_seconds() {
    let app = App::start().await;
    app.add_key("default", "short-lived", &["read"]).await;
    let key = [("X-API-Key", "short-lived")];
    assert_eq!(status(&app, "/stats/dau", &key).await, 200);
    sqlx::query("update api_keys set revoked_at = now()").execute(&app.pool).await.unwrap();
    let revoked = async || (status(&app, "/stats/dau", &key).await == 401).then_some(());
    rollcall_tests::wait_until("the key is refused", revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_cut_in_the_time_zone_of_the_project() {
    let app = App::start().await;
    sqlx::query("insert into projects (name, time_zone) values ('berlin', 'Europe/Berlin')").execute(&app.pool).await.unwrap();
    app.add_key("berlin", "berlin-key", &["ingest", "read"]).await;
    let body = json!([event("a", "ada", "t", "2025-10-01T23:30:00Z"), event("b", "bob", "t", "2025-10-01T21:30:00Z")]);
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "berlin-key");
    assert_eq!(request.json(&body).send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    for source in ["rollups", "events"] {
        let url = format!("{}/stats/dau?from=2025-10-01&to=2025-10-02&source={source}", app.url);
        let answer: Value = app.http.get(url).header("X-API-Key", "berlin-key").send().await.unwrap().json().await.unwrap();
        assert_eq!(
            answer["data"],
            json!([{"date": "2025-10-01", "unique_users": 1}, {"date": "2025-10-02", "unique_users": 1}]),
            "{source}"
        );
    }
}
