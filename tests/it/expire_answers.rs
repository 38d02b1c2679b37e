//! Expiry and answers: kept days have the same numbers as before, and no answer is silently smaller.

use reqwest::Method;
use rollcall_tests::{App, History, at, days_ago, event};
use serde_json::{Value, json};

async fn get(app: &App, key: &str, path: &str) -> (u16, Value) {
    app.admin_as(key, Method::GET, path, &Value::Null).await
}

/// A history of two months with many users, of whom some come back and some do not.
async fn send_two_months(app: &App, key: &str, project: &str) {
    let events: Vec<_> = (0_i64..2_000)
        .map(|number| {
            let (days, user) = (number * 7 % 61, number * 13 % 37);
            let event_type = ["visit", "cart", "buy"][(number % 3) as usize];
            let plan = ["free", "pro"][(number % 2) as usize];
            json!({
                "event_id": format!("{project}-{number}"), "user_id": format!("u{}", user + days / 20 * 10),
                "event_type": event_type, "session_id": format!("s{}-{}", user, days / 2),
                "account_id": format!("a{}", user % 3), "occurred_at": at(days, &format!("{:02}:30:00", number % 24)),
                "properties": {"plan": plan},
            })
        })
        .collect();
    let (status, answer) = app.admin_as(key, Method::POST, "/events", &json!(events)).await;
    assert_eq!(status, 202, "{answer}");
}

/// Questions about days that are kept, each with the same question to the rows if there is one.
fn questions_about_kept_days() -> Vec<String> {
    // The first day is whole in every time zone.
    let (from, to) = (days_ago(28), days_ago(1));
    let period = format!("from={from}&to={to}");
    let of_both = [
        format!("/stats/dau?{period}"),
        format!("/stats/dau?{period}&granularity=week&event_type=visit"),
        format!("/stats/top-events?{period}"),
        format!("/stats/retention?start_date={from}&windows=2&cohorts=2&return_event_type=buy"),
        format!("/stats/trends?{period}&event_type=visit&event_type=buy"),
        format!("/stats/trends?{period}&metric=users&interval=week"),
        format!("/stats/trends?{period}&interval=hour"),
    ];
    let of_rows = of_both.iter().map(|question| format!("{question}&source=events"));
    let others = [
        format!("/stats/trends?{period}&where=plan:pro&breakdown=plan"),
        format!("/stats/funnel?{period}&steps=visit,cart,buy&within=5d"),
        format!("/events?{period}&limit=1000"),
        format!("/users/u5/events?{period}&limit=1000"),
        format!("/sessions?{period}&limit=1000"),
        format!("/accounts/a1/summary?{period}"),
        format!("/stats/retention?start_date={from}&windows=2&cohorts=2&cohort=new"),
    ];
    of_both.iter().cloned().chain(of_rows).chain(others).collect()
}

async fn answers(app: &App, key: &str) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    for question in questions_about_kept_days() {
        let (status, mut answer) = get(app, key, &question).await;
        assert_eq!(status, 200, "{question}: {answer}");
        // When it was computed.
        answer.as_object_mut().unwrap().remove("as_of");
        answers.push((question, answer));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_kept_days_are_the_same_before_and_after() {
    let app = App::start().await;
    let mut keys = Vec::new();
    for (project, zone) in [("utc", "UTC"), ("west", "America/New_York"), ("east", "Asia/Kolkata"), ("all", "UTC")] {
        app.make_project(project, zone).await;
        keys.push(app.make_key(project, &["ingest", "read"]).await.key);
        send_two_months(&app, &keys[keys.len() - 1], project).await;
    }
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    let mut before = Vec::new();
    for key in &keys {
        before.push((answers(&app, key).await, get(&app, key, "/users?limit=1000").await, get(&app, key, "/users/u5").await));
    }
    for project in ["utc", "west", "east"] {
        app.keep_for(project, Some(30)).await;
    }
    for arguments in [&[][..], &["--rollups"]] {
        let expired = app.expired(arguments).await;
        assert_eq!(expired.len(), 3);
        let gone = expired.iter().map(|entry| entry["events"].as_u64().unwrap());
        assert!(gone.into_iter().all(|events| (events > 900) == arguments.is_empty()), "{expired:?}");
        for (key, (answers_before, users, user)) in keys.iter().zip(&before) {
            assert_eq!(answers(&app, key).await, *answers_before, "{arguments:?}");
            if arguments.is_empty() {
                assert_eq!(get(&app, key, "/users?limit=1000").await, *users);
                assert_eq!(get(&app, key, "/users/u5").await, *user);
            }
        }
        let all = &keys[3];
        let long = format!("from={}&to={}", days_ago(60), days_ago(0));
        let [rollups, rows] = ["", "&source=events"].map(|source| format!("/stats/top-events?{long}{source}"));
        assert_eq!(get(&app, all, &rollups).await, get(&app, all, &rows).await, "this project keeps everything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_deleted_rows_is_refused_with_the_first_day_that_is_whole() {
    let app = App::start().await;
    let history = History::send(&app).await;
    app.keep_as_in_history().await;
    let earlier = format!("from={}&to={}", days_ago(50), days_ago(0));
    let dau = format!("/stats/dau?{earlier}");
    let counted = get(&app, &history.shop, &dau).await;
    app.expired(&[]).await;
    // Midnight in UTC is one or two o'clock in Berlin.
    for (key, first) in [(&history.shop, days_ago(29)), (&history.news, days_ago(60))] {
        let earlier = format!("from={}&to={}", days_ago(61), days_ago(0));
        for (question, field) in [
            (format!("/stats/dau?{earlier}&source=events"), "from"),
            (format!("/stats/top-events?{earlier}&source=events"), "from"),
            (format!("/stats/trends?{earlier}&source=events"), "from"),
            (format!("/stats/trends?{earlier}&where=plan:pro"), "from"),
            (format!("/stats/trends?{earlier}&metric=users&breakdown=plan"), "from"),
            (format!("/stats/funnel?{earlier}&steps=visit,buy"), "from"),
            (format!("/accounts/acme/summary?{earlier}"), "from"),
            (format!("/stats/retention?start_date={}&source=events", days_ago(61)), "start_date"),
            (format!("/stats/retention?start_date={}&cohort=new&source=events", days_ago(9)), "cohort"),
        ] {
            let (status, answer) = get(&app, key, &question).await;
            assert_eq!((status, &answer["code"], &answer["kept_from"]), (422, &json!("expired"), &json!(first)), "{question}");
            let message = format!("needs events of days before {first}, which were deleted");
            assert_eq!(answer["errors"], json!([{"field": field, "code": "expired", "message": message}]), "{question}");
        }
        // From this day on, rows and rollups say the same.
        let kept = format!("from={first}&to={}", days_ago(0));
        for question in [format!("/stats/dau?{kept}"), format!("/stats/top-events?{kept}"), format!("/stats/trends?{kept}")] {
            let rows = get(&app, key, &format!("{question}&source=events")).await;
            let rollups = get(&app, key, &question).await;
            assert_eq!((rows.0, &rows.1["data"]), (200, &rollups.1["data"]), "{question}");
        }
    }
    assert_eq!(get(&app, &history.shop, &dau).await, counted, "counts are kept for longer than events");
    let (_, answer) = app
        .admin_as(
            &history.shop,
            Method::POST,
            "/graphql",
            &json!({"query": format!(
                "{{ topEvents(from: \"{}\", to: \"{}\", source: \"events\") {{ data {{ count }} }} }}", days_ago(50), days_ago(0)
            )}),
        )
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("expired"), "{answer}");

    // Lists end where the events end.
    let ids = |answer: &Value| {
        let data = answer["data"].as_array().unwrap().iter();
        data.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (path, expected) in [
        ("/events?order=asc".to_owned(), 6),
        (format!("/events?from={}&to={}", days_ago(300), days_ago(40)), 0),
        ("/users/u1/events".to_owned(), 2),
        ("/sessions/s45-1/events".to_owned(), 0),
        ("/events?event_id=shop-45-1".to_owned(), 0),
        ("/events?event_id=shop-20-1".to_owned(), 1),
    ] {
        let (status, answer) = get(&app, &history.shop, &path).await;
        assert_eq!((status, ids(&answer).len(), &answer["next_cursor"]), (200, expected, &Value::Null), "{path}");
    }
    let (_, found) = get(&app, &history.shop, "/pipeline/events/shop-45-1").await;
    assert_eq!(found["status"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_has_lost_nothing_answers_about_the_time_before_it() {
    let app = App::start().await;
    app.send(&json!([event("x", "ada", "t", &at(3, "10:00:00"))])).await;
    app.wait_until_stored().await;
    app.keep_for("default", Some(30)).await;
    assert_eq!(app.expired(&["--rollups"]).await[0]["events"], 0);
    let answer = app.ask(&format!("/stats/top-events?from={}&to={}", days_ago(90), days_ago(0))).await;
    assert_eq!(answer, json!({"data": [{"event_type": "t", "count": 1}]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_rollups_go_the_counts_of_earlier_days_and_whoever_had_no_event_since() {
    let app = App::start().await;
    let history = History::send(&app).await;
    // Somebody who was seen long ago only, and somebody who came back.
    let seen = |user: &str, days: i64| {
        json!({"event_id": format!("{user}-{days}"), "user_id": user, "event_type": "visit", "session_id": format!("of-{user}"),
               "occurred_at": at(days, "12:00:00")})
    };
    let events = json!([seen("gone", 45), seen("back", 45), seen("back", 10), seen("fresh", 10)]);
    assert_eq!(app.admin_as(&history.shop, Method::POST, "/events", &events).await.0, 202);
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    let new = format!("/stats/retention?start_date={}&windows=1&window_type=day&cohort=new", days_ago(10));
    let newcomers = get(&app, &history.shop, &new).await;
    assert_eq!(newcomers.1["data"][0]["users_count"], 1, "only one of the two is new");
    app.keep_as_in_history().await;
    let expired = app.expired(&["--rollups", "--project", "shop"]).await;
    assert_eq!(expired[0]["rollups"], json!({"days": 3, "sessions": 10, "users": 1}));

    let shop = &history.shop;
    assert_eq!(get(&app, shop, &new).await, newcomers, "who was there before is known still");
    let first = days_ago(30);
    for (question, field) in [
        (format!("/stats/dau?from={}&to={}", days_ago(31), days_ago(0)), "from"),
        (format!("/stats/top-events?from={}&to={}", days_ago(31), days_ago(0)), "from"),
        (format!("/stats/trends?from={}&to={}&metric=users", days_ago(31), days_ago(0)), "from"),
        (format!("/stats/retention?start_date={}", days_ago(31)), "start_date"),
    ] {
        let (status, answer) = get(&app, shop, &question).await;
        assert_eq!((status, &answer["code"], &answer["kept_from"]), (422, &json!("expired"), &json!(first)), "{question}");
        assert_eq!(answer["errors"][0]["field"], field, "{question}");
    }
    let (status, answer) = get(&app, shop, &format!("/stats/dau?from={first}&to={}&fill=none", days_ago(0))).await;
    let expected = json!([{"date": days_ago(20), "unique_users": 3}, {"date": days_ago(10), "unique_users": 2},
                          {"date": days_ago(3), "unique_users": 3}]);
    assert_eq!((status, &answer["data"]), (200, &expected));
    assert_eq!(get(&app, shop, "/users/gone").await.0, 404);
    assert_eq!(get(&app, shop, "/sessions/of-gone").await.0, 404);
    assert_eq!(get(&app, shop, "/sessions/s45-1").await.0, 404);
    assert_eq!(get(&app, shop, "/sessions/of-back").await.1["events"], 2);
    assert_eq!(get(&app, shop, "/users/back").await.1["events"], 2);
    let users = get(&app, shop, "/users").await.1;
    let ids: Vec<_> = users["data"].as_array().unwrap().iter().map(|user| user["user_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["back", "fresh", "u0", "u1", "u2"]);
    // The other project keeps its counts, of days without rows as well.
    let long = format!("/stats/top-events?from={}&to={}", days_ago(300), days_ago(0));
    let counts = get(&app, &history.news, &long).await.1;
    assert_eq!(counts["data"], json!([{"event_type": "visit", "count": 10}, {"event_type": "buy", "count": 5}]));
}
