//! Sessions: what clients call so.

use rollcall_tests::{App, event};
use serde_json::{Value, json};

fn in_session(id: &str, session: &str, user: Option<&str>, at: &str) -> Value {
    let mut event = event(id, "", "t", at);
    event["session_id"] = json!(session);
    match user {
        Some(user) => event["user_id"] = json!(user),
        None => drop(event.as_object_mut().unwrap().remove("user_id")),
    }
    event
}

async fn history() -> App {
    let app = App::start().await;
    app.send(&json!([
        in_session("1", "long/1", None, "2025-09-30T23:59:59.5Z"),
        in_session("2", "long/1", Some("ada"), "2025-11-02T10:00:00Z"),
        // A session's user is that of its latest event that has one.
        in_session("3", "long/1", None, "2025-12-24T10:00:00Z"),
        in_session("4", "short", Some("bob"), "2025-11-01T10:00:00Z"),
        in_session("5", "short", Some("ada"), "2025-11-01T10:05:00Z"),
        {"event_id": "6", "session_id": "nameless", "anonymous_id": "x", "event_type": "t", "occurred_at": "2025-11-01T10:05:00Z"},
    ]))
    .await;
    app.wait_until_stored().await;
    app
}

async fn data(app: &App, path: &str) -> Value {
    let (status, answer) = app.get(path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    assert_eq!(answer["next_cursor"], Value::Null);
    answer["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_by_their_latest_event() {
    let app = history().await;
    let long = json!({"session_id": "long/1", "user_id": "ada", "started_at": "2025-09-30T23:59:59.5Z",
                      "last_event_at": "2025-12-24T10:00:00Z", "events": 3});
    let short = json!({"session_id": "short", "user_id": "ada", "started_at": "2025-11-01T10:00:00Z",
                       "last_event_at": "2025-11-01T10:05:00Z", "events": 2});
    let nameless = json!({"session_id": "nameless", "user_id": "x", "started_at": "2025-11-01T10:05:00Z",
                          "last_event_at": "2025-11-01T10:05:00Z", "events": 1});
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        assert_eq!(data(&app, "/sessions").await, json!([long, short, nameless]));
        assert_eq!(data(&app, "/sessions?user_id=ada").await, json!([long, short]));
        assert_eq!(data(&app, "/sessions?user_id=bob").await, json!([]));
        assert_eq!(data(&app, "/sessions?from=2025-11-01&to=2025-11-30").await, json!([short, nameless]));
        assert_eq!(app.get("/sessions/long%2F1").await, (200, long.clone()));
        assert_eq!(app.get("/sessions/none").await.0, 404);
    }
    // A late event changes where a session begins, and a duplicate changes nothing.
    app.send(&json!([in_session("7", "short", None, "2025-10-01T10:00:00Z")])).await;
    app.send(&json!([in_session("5", "short", Some("eve"), "2025-11-01T10:05:00Z")])).await;
    app.wait_until_stored().await;
    let later = json!({"session_id": "short", "user_id": "ada", "started_at": "2025-10-01T10:00:00Z",
                       "last_event_at": "2025-11-01T10:05:00Z", "events": 3});
    assert_eq!(app.get("/sessions/short").await, (200, later));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_sessions_put_together_are_the_whole_list() {
    let app = App::start().await;
    for part in 0..4 {
        let event = |number: u32| {
            let at = format!("2025-10-{:02}T10:00:{:02}Z", 1 + number % 9, number % 2);
            in_session(&format!("{part}-{number}"), &format!("s{}", number % 40), Some("ada"), &at)
        };
        app.send(&Value::from_iter((part * 30..part * 30 + 60).map(event))).await;
        app.wait_until_stored().await;
        if part == 1 {
            app.wait_until_compacted().await;
        }
    }
    let whole = data(&app, "/sessions?limit=1000").await;
    assert_eq!(whole.as_array().unwrap().len(), 40);
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = app.get(&format!("/sessions?limit=7{cursor}")).await;
        pages.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(pages), whole);
}
