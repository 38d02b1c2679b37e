//! A user with a million events: every page of the timeline is as right as the first.

use jiff::Timestamp;
use rollcall_tests::App;
use serde_json::{Value, json};

const EVENTS: i64 = 1_000_000;
const EVENTS_PER_REQUEST: i64 = 100_000;
const EVENTS_PER_PAGE: i64 = 1_000;
/// The first event is of 2025-10-09; the last is of eleven days later.
const FIRST_SECOND: i64 = 1_760_000_000;

/// Two events follow each other in a second, so that every page has ties.
fn time(number: i64) -> String {
    Timestamp::from_second(FIRST_SECOND + number / 2 * 2).unwrap().to_string()
}

fn lines(numbers: std::ops::Range<i64>) -> String {
    use std::fmt::Write;
    let mut lines = String::new();
    for number in numbers {
        let time = time(number);
        writeln!(lines, r#"{{"event_id":"e{number:06}","user_id":"whale","event_type":"click","occurred_at":"{time}"}}"#)
            .unwrap();
    }
    lines
}

/// A page of the timeline: the times, and the cursor of the next page.
async fn page(app: &App, order: &str, cursor: &str) -> (Vec<(String, String)>, Option<String>) {
    let path = format!("/users/whale/events?limit={EVENTS_PER_PAGE}&order={order}{cursor}");
    let (status, page) = app.get(&path).await;
    assert_eq!(status, 200, "{path}: {page}");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = page["data"].as_array().unwrap().iter().map(|row| (text(row, "occurred_at"), text(row, "event_id"))).collect();
    (rows, page["next_cursor"].as_str().map(|next| format!("&cursor={next}")))
}

/// Reads a number of pages and compares every row. Of two events of the same time, either may come first, but
/// each comes once.
async fn read_pages(app: &App, order: &str, pages: i64) -> Option<String> {
    let mut cursor = Some(String::new());
    let mut numbers: Box<dyn Iterator<Item = i64>> =
        if order == "asc" { Box::new(0..EVENTS) } else { Box::new((0..EVENTS).rev()) };
    for number in 0..pages {
        let (mut rows, next) = page(app, order, &cursor.expect("the timeline ended too early")).await;
        let mut expected: Vec<_> =
            numbers.by_ref().take(EVENTS_PER_PAGE as usize).map(|number| (time(number), format!("e{number:06}"))).collect();
        // A page ends between two pairs.
        rows.sort_unstable();
        expected.sort_unstable();
        assert!(rows == expected, "page {number} in the order {order}: {:?} to {:?}", rows.first(), rows.last());
        cursor = next;
    }
    cursor
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_a_million_events_has_a_whole_timeline() {
    let app = App::start().await;
    for first in (0..EVENTS).step_by(EVENTS_PER_REQUEST as usize) {
        let headers = [("Content-Type", "application/x-ndjson")];
        let (status, answer) = app.post("/events", &headers, lines(first..first + EVENTS_PER_REQUEST)).await;
        assert_eq!((status, &answer["events_count"]), (202, &json!(EVENTS_PER_REQUEST)), "{answer}");
        app.wait_until_stored().await;
    }
    app.wait_until_compacted().await;
    let (status, user) = app.get("/users/whale").await;
    assert_eq!((status, &user["events"], &user["days_active"]), (200, &json!(EVENTS), &json!(12)), "{user}");
    assert_eq!((&user["first_seen"], &user["last_seen"]), (&json!(time(0)), &json!(time(EVENTS - 1))));
    assert_eq!(read_pages(&app, "desc", EVENTS / EVENTS_PER_PAGE).await, None, "nothing follows the last page");
    assert!(read_pages(&app, "asc", 20).await.is_some());
}
