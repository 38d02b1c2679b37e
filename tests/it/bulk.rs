//! A hundred thousand events in one request, twice.

use rollcall_tests::{App, KEY};
use serde_json::{Value, json};

fn body() -> String {
    let line = |n: u64| {
        let (user, event_type, day) = (n * 7919 % 20_011, n * n % 17, n % 28 + 1);
        format!(
            "{{\"event_id\":\"evt_{n}\",\"user_id\":\"user_{user}\",\"event_type\":\"type_{event_type}\",\
             \"occurred_at\":\"2025-10-{day:02}T{:02}:00:00Z\",\"properties\":{{\"page\":\"/p/{n}\",\"referrer\":\"google.com\",\
             \"device\":\"Chrome on Linux\",\"experiment\":\"control\",\"duration_ms\":{}}}}}\n",
            n % 24,
            n % 60_000
        )
    };
    (0..100_000).map(line).collect()
}

async fn answers(app: &App) -> Vec<Value> {
    let mut answers = Vec::new();
    for question in [
        "/stats/dau?from=2025-10-01&to=2025-10-31",
        "/stats/dau?from=2025-10-01&to=2025-10-31&granularity=week&event_type=type_4",
        "/stats/top-events?from=2025-10-01&to=2025-10-31&limit=100",
        "/stats/retention?start_date=2025-10-01&cohorts=2&windows=3",
    ] {
        answers.push(app.ask(question).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_events_are_stored_once_however_often_they_are_sent() {
    let app = App::start().await;
    let body = body();
    let send = async || {
        let request =
            app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).header("Content-Type", "application/x-ndjson");
        let answer: Value = request.body(body.clone()).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["events_count"], 100_000);
        app.drained().await;
    };
    send().await;
    assert_eq!(app.stored().await, 100_000);
    let first = answers(&app).await;
    let total: u64 = first[2]["data"].as_array().unwrap().iter().filter_map(|row| row["count"].as_u64()).sum();
    assert_eq!(total, 100_000);
    send().await;
    assert_eq!(app.stored().await, 100_000);
    assert_eq!(answers(&app).await, first);
    app.compacted().await;
    assert_eq!(answers(&app).await, first);
    assert_ne!(first[3]["data"], json!([]));
}
