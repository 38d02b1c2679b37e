//! The three answers, whole JSON, from rollups and from rows alike.

use rollcall_tests::{App, event};
use serde_json::json;

/// Three users over three weeks of October 2025; `ask` holds rollups and rows against each other.
async fn october() -> App {
    let app = App::start().await;
    let at = |day: u32| format!("2025-10-{day:02}T12:00:00Z");
    app.send(&json!([
        event("1", "ada", "login", &at(1)),
        event("2", "ada", "login", &at(1)),
        event("3", "bob", "signup", &at(1)),
        event("4", "bob", "login", &at(2)),
        event("5", "ada", "login", &at(8)),
        event("6", "cid", "signup", &at(9)),
        event("7", "ada", "buy", &at(15)),
        event("8", "cid", "login", &at(16)),
    ]))
    .await;
    app.wait_until_stored().await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn dau_counts_each_user_once_a_day() {
    let app = october().await;
    let answer = app.ask("/stats/dau?from=2025-10-01&to=2025-10-03").await;
    let expected = json!({"data": [
        {"date": "2025-10-01", "unique_users": 2},
        {"date": "2025-10-02", "unique_users": 1},
        {"date": "2025-10-03", "unique_users": 0},
    ], "granularity": "day"});
    assert_eq!(answer, expected);
    app.wait_until_compacted().await;
    assert_eq!(app.ask("/stats/dau?from_date=2025-10-01&to_date=2025-10-03").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn dau_by_week_and_month_counts_each_user_once() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/dau?from=2025-10-01&to=2025-10-19&granularity=week").await,
        json!({"data": [
            {"date": "2025-09-29", "unique_users": 2},
            {"date": "2025-10-06", "unique_users": 2},
            {"date": "2025-10-13", "unique_users": 2},
        ], "granularity": "week"})
    );
    assert_eq!(
        app.ask("/stats/dau?from=2025-09-01&to=2025-10-31&granularity=month&fill=none").await,
        json!({"data": [{"date": "2025-10-01", "unique_users": 3}], "granularity": "month"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dau_of_one_event_type_counts_only_its_users() {
    let app = october().await;
    let days = "from=2025-10-01&to=2025-10-31&fill=none";
    assert_eq!(
        app.ask(&format!("/stats/dau?{days}&event_type=signup")).await,
        json!({"data": [
            {"date": "2025-10-01", "unique_users": 1},
            {"date": "2025-10-09", "unique_users": 1},
        ], "granularity": "day"})
    );
    assert_eq!(app.ask(&format!("/stats/dau?{days}&event_type=nothing")).await, json!({"data": [], "granularity": "day"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn top_events_come_by_count_and_then_by_name() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/top-events?from=2025-10-01&to=2025-10-31").await,
        json!({"data": [
            {"event_type": "login", "count": 5},
            {"event_type": "signup", "count": 2},
            {"event_type": "buy", "count": 1},
        ]})
    );
    assert_eq!(
        app.ask("/stats/top-events?from=2025-10-09&to=2025-10-16&limit=2").await,
        json!({"data": [{"event_type": "buy", "count": 1}, {"event_type": "login", "count": 1}]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_follows_cohorts_through_their_windows() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/retention?start_date=2025-10-01&windows=2&cohorts=2").await,
        json!({"data": [
            {"cohort_date": "2025-10-01", "users_count": 2, "retention_windows": [50.0, 50.0], "retained_users": [1, 1], "complete": [true, true]},
            {"cohort_date": "2025-10-08", "users_count": 2, "retention_windows": [100.0, 0.0], "retained_users": [2, 0], "complete": [true, true]},
        ], "window_type": "week"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_of_new_users_leaves_out_those_seen_before() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/retention?start_date=2025-10-08&windows=1&cohorts=1&cohort=new").await,
        json!({"data": [
            {"cohort_date": "2025-10-08", "users_count": 1, "retention_windows": [100.0], "retained_users": [1], "complete": [true]},
        ], "window_type": "week"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_can_ask_for_what_brought_users_in_and_back() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/retention?start_date=2025-10-01&windows=2&event_type=login&return_event_type=buy").await,
        json!({"data": [
            {"cohort_date": "2025-10-01", "users_count": 2, "retention_windows": [0.0, 50.0], "retained_users": [0, 1], "complete": [true, true]},
        ], "window_type": "week"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cohort_is_listed_with_nothing_in_it() {
    let app = october().await;
    assert_eq!(
        app.ask("/stats/retention?start_date=2024-01-01&windows=3&window_type=month").await,
        json!({"data": [
            {"cohort_date": "2024-01-01", "users_count": 0, "retention_windows": [], "retained_users": [], "complete": []},
        ], "window_type": "month"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_parameter_is_named_at_once() {
    let app = App::start().await;
    let (status, answer) = app.get("/stats/retention?windows=53&window_type=year&cohort=old&colour=red").await;
    assert_eq!(status, 400);
    assert_eq!(
        answer,
        json!({
            "type": "urn:rollcall:problem:invalid_parameters", "title": "Bad Request", "status": 400,
            "code": "invalid_parameters",
            "detail": "5 parameters are not valid; see errors", "message": "5 parameters are not valid; see errors",
            "errors": [
                {"field": "start_date", "code": "required", "message": "is required: the first day of the first cohort"},
                {"field": "windows", "code": "out_of_range", "message": "must be a whole number from 1 to 52"},
                {"field": "window_type", "code": "invalid", "message": "must be day, week or month"},
                {"field": "cohort", "code": "invalid", "message": "must be active or new"},
                {"field": "colour", "code": "unknown", "message": "this request takes no such parameter"},
            ],
        })
    );
    for (query, message) in [
        ("from=2025-10-02&to=2025-10-01", "must not be after to"),
        ("from=2020-01-01&to=2025-10-01", "the period must be 1 to 1100 days"),
        ("from=yesterday", "must be a date such as 2025-10-01"),
        ("from=-009999-01-01&to=2025-10-01", "must be a date such as 2025-10-01"),
        ("event_type=a%00b", "contains a NUL character"),
        ("from=2025-10-01&from=2025-10-02&to=2025-10-03", "must be sent once"),
        ("from=2025-10-01&from_date=2025-10-02&to=2025-10-03", "is another name of from; send one of them"),
        ("event_type=", "must not be empty; leave it out instead"),
        ("from=20251001", "must be a date such as 2025-10-01"),
        ("from_date=2025-10-02&to_date=2025-10-01", "must not be after to_date"),
    ] {
        let (status, answer) = app.get(&format!("/stats/dau?{query}")).await;
        assert_eq!((status, &answer["errors"][0]["message"]), (400, &json!(message)), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_date_of_all_ends_the_list_of_days() {
    let app = App::start().await;
    let answer = app.ask("/stats/dau?from=9999-12-30&to=9999-12-31").await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_include_their_last_value() {
    let app = App::start().await;
    for (last, beyond) in [
        ("/stats/dau?from=2025-10-01&to=2028-10-04", "/stats/dau?from=2025-10-01&to=2028-10-05"),
        ("/stats/top-events?limit=100", "/stats/top-events?limit=101"),
        ("/accounts/sample?limit=100", "/accounts/sample?limit=101"),
        ("/events?limit=1000", "/events?limit=1001"),
        ("/users?limit=1000", "/users?limit=1001"),
        ("/sessions?limit=1000", "/sessions?limit=1001"),
        (
            "/stats/retention?start_date=2025-10-01&windows=52&cohorts=52",
            "/stats/retention?start_date=2025-10-01&windows=52&cohorts=53",
        ),
    ] {
        assert_eq!(app.get(last).await.0, 200, "{last}");
        let (status, answer) = app.get(beyond).await;
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_parameters")), "{beyond}");
    }
}
