//! Lists of days in a time zone: where clocks change, and where months and years end.

use rollcall_tests::{App, event};
use serde_json::{Value, json};

/// A service with a project in this time zone, whose key is `zone-key`, that has an event at each of these times.
async fn app_in(zone: &str, times: &[&str]) -> App {
    let app = App::start().await;
    let project = "insert into projects (name, time_zone) values ('zone', $1)";
    sqlx::query(project).bind(zone).execute(&app.pool).await.unwrap();
    app.add_key("zone", "zone-key", &["ingest", "read"]).await;
    let events = Value::from_iter(times.iter().map(|at| event(at, "ada", "t", at)));
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "zone-key").json(&events);
    assert_eq!(request.send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    app
}

/// The ids that a list of events has, which are their times.
async fn times(app: &App, path: &str) -> Vec<String> {
    let request = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", "zone-key");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["next_cursor"], Value::Null, "{path}: {answer}");
    answer["data"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_months_and_years_end_with_the_local_clock() {
    let edges = [
        // The day of 25 hours.
        "2025-10-25T21:59:59.999999Z",
        "2025-10-25T22:00:00Z",
        "2025-10-26T22:59:59.999999Z",
        "2025-10-26T23:00:00Z",
        // The end of a month, and of a year.
        "2025-10-31T22:59:59.999999Z",
        "2025-10-31T23:00:00Z",
        "2025-12-31T22:59:59.999999Z",
        "2025-12-31T23:00:00Z",
        // The day of 23 hours.
        "2026-03-28T22:59:59.999999Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59.999999Z",
        "2026-03-29T22:00:00Z",
    ];
    let app = app_in("Europe/Berlin", &edges).await;
    for (from, to, expected) in [
        ("2025-10-26", "2025-10-26", &edges[1..3]),
        ("2025-10-01", "2025-10-31", &edges[..5]),
        ("2025-11-01", "2025-12-31", &edges[5..7]),
        ("2025-10-31", "2026-01-01", &edges[4..8]),
        ("2026-01-01", "2026-01-01", &edges[7..8]),
        ("2026-03-29", "2026-03-29", &edges[9..11]),
        ("2025-11-02", "2025-11-02", &[]),
        ("2025-10-25T22:00:00Z", "2025-12-31T23:00:00Z", &edges[1..7]),
        ("2025-10-26T00:00:00%2B02:00", "2026-01-01", &edges[1..8]),
    ] {
        for list in ["/events?", "/events?event_type=t&", "/users/ada/events?", "/events?where=a:ne:b&"] {
            let path = format!("{list}from={from}&to={to}");
            assert_eq!(times(&app, &format!("{path}&order=asc")).await, expected, "{path}");
            let latest_first = times(&app, &format!("{path}&order=desc")).await;
            assert!(latest_first.iter().eq(expected.iter().rev()), "{path}: {latest_first:?}");
        }
    }
}

/// On 7 November 2010 in St. John's, clocks were put back at 00:01: an hour of the day before came again.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_the_day_before_that_comes_again_is_listed() {
    let again = ["2010-11-07T02:31:00Z", "2010-11-07T03:29:59Z"];
    let app = app_in("America/St_Johns", &again).await;
    let request = app.http.get(format!("{}/stats/dau?from=2010-11-05&to=2010-11-08&fill=none", app.url));
    let days: Value = request.header("X-API-Key", "zone-key").send().await.unwrap().json().await.unwrap();
    assert_eq!(days["data"], json!([{"date": "2010-11-06", "unique_users": 1}]), "{days}");
    for list in
        ["/events", "/events?event_type=t", "/users/ada/events", "/events?where=a:ne:b", "/events?from=2010-11-01&to=2010-11-30"]
    {
        let filter = if list.contains('?') { "&" } else { "?" };
        assert_eq!(times(&app, &format!("{list}{filter}order=asc")).await, again, "{list}");
        let latest_first = times(&app, list).await;
        assert!(latest_first.iter().eq(again.iter().rev()), "{list}: {latest_first:?}");
    }
}
