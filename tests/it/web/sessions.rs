//! Sessions, and one of them as a timeline.

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, Dashboard, event};
use serde_json::{Value, json};

use super::history;
use super::taken::{csv, numbers, rows};

const LIST: &str = "[aria-label='List of sessions']";
const TIMELINE: &str = "[aria-label='Events of the session']";

fn in_session(mut event: Value, session: &str) -> Value {
    event["session_id"] = json!(session);
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_that_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for query in ["", "user_id=user_007"] {
        dashboard.show(&format!("sessions?{query}")).await;
        let (_, answer) = app.get(&format!("/sessions?{query}")).await;
        let expected: Vec<_> = answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| [&row["session_id"], &row["user_id"]].map(|id| id.as_str().unwrap().to_owned()))
            .collect();
        let shown: Vec<_> = rows(&dashboard, LIST).await.into_iter().map(|row| [row[0].clone(), row[1].clone()]).collect();
        assert_eq!(shown, expected, "{query}");
        let events: Vec<_> = answer["data"].as_array().unwrap().iter().map(|row| row["events"].as_i64().unwrap()).collect();
        assert_eq!(numbers(&dashboard, LIST, 5).await.concat(), events, "{query}");
        assert_eq!(csv(&dashboard, "sessions").await.len(), expected.len() + 1);
    }
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_timeline_with_the_time_between_its_events() {
    let app = App::start().await;
    let begin: Timestamp = "2025-10-01T23:59:00Z".parse().unwrap();
    let events: Vec<_> = [("open", 0), ("scroll", 2), ("buy", 92), ("return", 92 + 7200)]
        .into_iter()
        .map(|(name, seconds)| {
            in_session(event(name, "ada", name, &(begin + i64::from(seconds).seconds()).to_string()), "a/b ..?🦊")
        })
        .collect();
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("sessions").await;
    dashboard.browser.click("a", "a/b ..?🦊").await;
    dashboard.browser.find(TIMELINE).await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.text("h1").await, "Session a/b ..?🦊");
    let shown: Vec<_> = rows(&dashboard, TIMELINE).await.into_iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(
        shown,
        [
            ["Wed 1 Oct 2025", "23:59:00", "", "open"],
            ["Wed 1 Oct 2025", "23:59:02", "+ 2 s", "scroll"],
            ["Thu 2 Oct 2025", "00:00:32", "+ 1 min 30 s", "buy"],
            ["Thu 2 Oct 2025", "02:00:32", "+ 2 h", "return"],
        ]
    );
    // Paragraphs are told apart by an empty line.
    let stats = dashboard.browser.texts(".stat").await.join(" | ").replace("\n\n", "\n");
    for part in ["ada", "Events\n4", "2 h 1 min", "Wed 1 Oct 2025 23:59:00", "Thu 2 Oct 2025 02:00:32"] {
        assert!(stats.contains(part), "{part}: {stats}");
    }
    let pauses = dashboard.browser.texts(&format!("{TIMELINE} .pause")).await;
    assert_eq!(pauses, ["+ 2 h"], "a long pause stands out");
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    // The other way round, each event still says how long it was after the one before it in time.
    dashboard.browser.click("button", "Latest first").await;
    dashboard.settled().await;
    let shown: Vec<_> = rows(&dashboard, TIMELINE).await.into_iter().map(|row| [row[3].clone(), row[2].clone()]).collect();
    assert_eq!(shown, [["return", "+ 2 h"], ["buy", "+ 1 min 30 s"], ["scroll", "+ 2 s"], ["open", ""]]);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_id_is_dots_is_shown_and_an_unknown_one_is_missing() {
    let app = App::start().await;
    app.send(&json!([in_session(event("1", "ada", "login", "2025-10-01T10:00:00Z"), "..")])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("session-timeline?id=..").await;
    assert_eq!(rows(&dashboard, TIMELINE).await.len(), 1);
    dashboard.check().await;
    dashboard.show("session-timeline?id=unknown").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("There is no such session"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sessions_it_says_so() {
    let app = App::start().await;
    app.send(&json!([event("1", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    for (page, said) in [("sessions", "No events with a session_id"), ("sessions?user_id=bob", "Nothing matches this filter")] {
        dashboard.show(page).await;
        let text = dashboard.browser.text("main").await;
        assert!(text.contains(said), "{page}: {text}");
    }
}
