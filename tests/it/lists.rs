//! Lists at their edges: empty ones, ids of any characters, ties, the ends of pages, and others who write.

use rollcall_tests::{App, KEY, event};
use serde_json::{Value, json};

const EVENT_COLUMNS: &str = "event_id,event_type,user_id,anonymous_id,session_id,account_id,occurred_at,received_at,properties";

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The answer to a question that must be answered.
async fn read(app: &App, path: &str) -> Value {
    let (status, answer) = app.get(path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// What a page lists, by one of its fields.
fn column(page: &Value, field: &str) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

/// The pages of a list, as they follow each other.
async fn pages(app: &App, path: &str, field: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    for _ in 0..1_000 {
        let page = read(app, &format!("{path}{cursor}")).await;
        pages.push(column(&page, field));
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
    panic!("{path}: the pages do not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_utf8_is_refused_as_json() {
    let app = App::start_without_workers(Vec::new()).await;
    for (path, field, code) in [
        ("/users/%FF", "user_id", "invalid_text"),
        ("/users/a%C3/events", "user_id", "invalid_text"),
        ("/events/%FF", "user_id", "invalid_text"),
        ("/sessions/%FF", "session_id", "invalid_text"),
        ("/sessions/%FF/events", "session_id", "invalid_text"),
        ("/accounts/%FF/summary", "account_id", "invalid_text"),
        ("/event-types/%FF/properties", "name", "invalid_text"),
        ("/events?user_id=%FF", "", "invalid_query"),
        ("/users?query=%C3&limit=1", "", "invalid_query"),
    ] {
        let response = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", KEY).send().await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["errors"][0]["field"], &problem["errors"][0]["code"]), (&json!(field), &json!(code)), "{path}");
    }
    let response = app.http.get(format!("{}/users/%FF", app.url)).send().await.unwrap();
    assert_eq!(response.status(), 401, "who has no key learns no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_events_has_empty_lists() {
    let app = App::start_without_workers(Vec::new()).await;
    let nothing = json!({"data": [], "next_cursor": null});
    for (path, header) in [
        ("/events", EVENT_COLUMNS),
        ("/events?order=asc&event_type=t", EVENT_COLUMNS),
        ("/users", "user_id,first_seen,last_seen"),
        ("/sessions", "session_id,user_id,started_at,last_event_at,events"),
        ("/event-types", "event_type,events,users,first_day,last_day"),
    ] {
        assert_eq!(app.get(path).await, (200, nothing.clone()), "{path}");
        let request = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", KEY).header("Accept", "text/csv");
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), format!("{header}\n"), "{path}");
    }
    for path in ["/users/a/events", "/events/a", "/sessions/a/events"] {
        assert_eq!(app.get(path).await, (200, nothing.clone()), "{path}");
    }
    for path in ["/users/a", "/sessions/a"] {
        assert_eq!(app.get(path).await.0, 404, "{path}");
    }
    assert_eq!(app.get("/accounts/sample").await, (200, json!({"account_ids": []})));
    let summary = json!({"account_id": "a", "window": null, "totals": {}, "top_users": []});
    assert_eq!(app.get("/accounts/a/summary?to=2025-01-01").await, (200, summary));
    let properties = json!({"event_type": "a", "events_sampled": 0, "data": []});
    assert_eq!(app.get("/event-types/a/properties").await, (200, properties));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_characters_find_what_is_theirs() {
    let app = App::start().await;
    let ids = ["a/b", "/", "a b", "100%", "%2F", "+", "\u{1F600}", "?&=#;", "a%20\u{e4}", "\"'\\", "sample", "{user_id}"];
    let events = ids.map(|id| {
        json!({"event_id": id, "user_id": id, "session_id": id, "account_id": id, "event_type": id, "properties": {id: id},
               "occurred_at": "2025-10-01T10:00:00Z"})
    });
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    for id in ids {
        let sent = encoded(id);
        for path in [
            format!("/users/{sent}/events"),
            format!("/events/{sent}"),
            format!("/sessions/{sent}/events"),
            format!("/events?event_id={sent}"),
            format!("/events?user_id={sent}&session_id={sent}&account_id={sent}&event_type={sent}"),
            format!("/events?where={sent}:eq:{sent}"),
        ] {
            assert_eq!(pages(&app, &path, "event_id").await, [[id]], "{path} of {id}");
        }
        let user = json!({"user_id": id, "first_seen": "2025-10-01T10:00:00Z", "last_seen": "2025-10-01T10:00:00Z", "events": 1,
                          "days_active": 1, "sessions": 1});
        assert_eq!(app.get(&format!("/users/{sent}")).await, (200, user));
        let session = json!({"session_id": id, "user_id": id, "started_at": "2025-10-01T10:00:00Z",
                             "last_event_at": "2025-10-01T10:00:00Z", "events": 1});
        assert_eq!(app.get(&format!("/sessions/{sent}")).await, (200, session));
        let summary = json!({"account_id": id, "window": null, "totals": {id: 1}, "top_users": [{"user_id": id, "events": 1}]});
        // From the beginning: no window is meant.
        assert_eq!(app.get(&format!("/accounts/{sent}/summary?from=1970-01-01")).await, (200, summary));
        let (status, problem) = app.get(&format!("/accounts/{sent}/summary?from=1970-01-01&window=last_7d")).await;
        assert_eq!((status, &problem["errors"][0]["code"]), (400, &json!("conflict")));
        let property = json!({"property": id, "types": ["string"], "share": 1.0, "values": [{"value": id, "count": 1}]});
        let properties = json!({"event_type": id, "events_sampled": 1, "data": [property]});
        assert_eq!(app.get(&format!("/event-types/{sent}/properties")).await, (200, properties));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_instant_come_by_their_ids_across_pages() {
    let app = App::start().await;
    let mut ids: Vec<String> = (0..9).map(|number| format!("{number}0000000-0000-4000-8000-00000000000{}", 9 - number)).collect();
    // Out of order, in two batches.
    for part in [[3, 8, 0, 5].as_slice(), &[7, 1, 6, 2, 4]] {
        let batch = part.iter().map(|&place: &usize| event(&ids[place], "ada", "t", "2024-12-31T23:59:59.999999Z"));
        app.send(&Value::from_iter(batch)).await;
        app.wait_until_stored().await;
    }
    for order in ["asc", "desc"] {
        for filter in ["", "&user_id=ada", "&event_type=t", "&where=a:exists:false"] {
            for limit in [1, 2, 3, 4, 9, 10] {
                let found = pages(&app, &format!("/events?order={order}&limit={limit}{filter}"), "event_id").await;
                let expected: Vec<Vec<String>> = ids.chunks(limit).map(<[String]>::to_vec).collect();
                // A page that is full ends the list if nothing follows.
                assert_eq!(found, expected, "{order} {limit} {filter}");
            }
        }
        ids.reverse();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_full_ends_the_list_if_nothing_follows() {
    let app = App::start().await;
    let event = |number: u32| {
        let name = format!("n{number}");
        json!({"event_id": name, "user_id": name, "session_id": name, "event_type": name, "occurred_at": "2025-10-01T10:00:00Z"})
    };
    app.send(&Value::from_iter((0..6).map(event))).await;
    app.wait_until_stored().await;
    let names: Vec<String> = (0..6).map(|number| format!("n{number}")).collect();
    let latest_first: Vec<String> = names.iter().rev().cloned().collect();
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        for (list, field, names) in
            [("/users", "user_id", &names), ("/event-types", "event_type", &names), ("/sessions", "session_id", &latest_first)]
        {
            for limit in [1, 2, 3, 5, 6, 7] {
                let expected: Vec<Vec<String>> = names.chunks(limit).map(<[String]>::to_vec).collect();
                assert_eq!(pages(&app, &format!("{list}?limit={limit}"), field).await, expected, "{list} by {limit}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_as_csv_put_together_are_the_whole_table() {
    let app = App::start().await;
    let event = |number: u32| {
        let mut event = event(&format!("n{number}"), &format!("u,{number}\r\n\"x\""), "t", "2025-10-01T10:00:00Z");
        event["session_id"] = json!(format!("=s{number}"));
        event
    };
    app.send(&Value::from_iter((0..10).map(event))).await;
    app.wait_until_stored().await;
    let csv = async |path: &str| {
        let request = app.http.get(format!("{}{path}&format=csv", app.url)).header("X-API-Key", KEY);
        let response = request.send().await.unwrap();
        let cursor = response.headers().get("x-next-cursor").map(|cursor| cursor.to_str().unwrap().to_owned());
        (response.text().await.unwrap(), cursor)
    };
    for list in ["/events?event_type=t", "/users?query=u", "/sessions?to=2025-10-01"] {
        let (whole, cursor) = csv(list).await;
        assert_eq!(cursor, None, "{list}");
        let header = whole.lines().next().unwrap();
        let mut together = format!("{header}\n");
        let mut next = Some(String::new());
        while let Some(cursor) = next {
            let (page, cursor) = csv(&format!("{list}&limit=4{cursor}")).await;
            together += page.strip_prefix(header).unwrap().strip_prefix('\n').unwrap();
            next = cursor.map(|cursor| format!("&cursor={cursor}"));
        }
        assert_eq!(together, whole, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_session_that_spans_years_come_page_by_page() {
    let app = App::start().await;
    let times = [
        "2024-02-29T12:00:00Z",
        "2024-12-31T23:59:59.999999Z",
        "2025-01-01T00:00:00Z",
        "2025-03-30T01:00:00Z",
        "2025-10-26T01:00:00Z",
        "2026-01-01T00:00:00Z",
    ];
    let mut events: Vec<Value> = times.iter().map(|at| event(at, "ada", "t", at)).collect();
    events.iter_mut().for_each(|event| event["session_id"] = json!("long"));
    // Not of the session, and between its events.
    events.extend(times.iter().map(|at| event(&format!("other {at}"), "ada", "t", at)));
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        for limit in [1, 2, 4, 6, 100] {
            let list = |filter: &str| format!("/sessions/long/events?limit={limit}{filter}");
            assert_eq!(pages(&app, &list(""), "event_id").await.concat(), times, "{limit}");
            let latest_first = pages(&app, &list("&order=desc"), "event_id").await.concat();
            assert!(latest_first.iter().eq(times.iter().rev()), "{latest_first:?}");
            let of_2025 = pages(&app, &list("&from=2025-01-01&to=2025-12-31"), "event_id").await.concat();
            assert_eq!(of_2025, times[2..5], "{limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_sampled_from_all_times() {
    let app = App::start().await;
    let of_account = |account: &str, at: &str| {
        let mut event = event(account, "ada", "t", at);
        event["account_id"] = json!(account);
        event
    };
    app.send(&json!([of_account("new", "2025-10-01T10:00:00Z"), of_account("ancient", "1999-12-31T10:00:00Z")])).await;
    app.wait_until_stored().await;
    assert_eq!(app.get("/accounts/sample").await, (200, json!({"account_ids": ["ancient", "new"]})));
    assert_eq!(app.get("/accounts/sample?limit=1").await, (200, json!({"account_ids": ["new"]})));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_keep_what_was_there_while_others_write() {
    let app = App::start().await;
    let send = async |name: &str, batch: u32| {
        let event = |number: u32| {
            // Among the others, and many at one instant.
            let at = format!("2025-{:02}-{:02}T10:00:0{}Z", 9 + number % 3, 1 + number % 28, number % 2);
            let mut event = event(&format!("{name}-{batch}-{number}"), &format!("u{}", number % 5), "t", &at);
            event["session_id"] = json!(format!("{name}-{batch}-{}", number % 30));
            event
        };
        app.send(&Value::from_iter((0..90).map(event))).await;
    };
    send("kept", 0).await;
    app.wait_until_stored().await;
    let lists = [
        ("/events?limit=17", "event_id"),
        ("/events?limit=17&order=asc", "event_id"),
        ("/events/u3?limit=3", "event_id"),
        ("/sessions?limit=7", "session_id"),
    ];
    let kept = async |list: &str, field: &str| {
        let ids = pages(&app, list, field).await.concat();
        ids.into_iter().filter(|id| id.starts_with("kept")).collect::<Vec<_>>()
    };
    let mut expected = Vec::new();
    for (list, field) in lists {
        expected.push(kept(list, field).await);
    }
    assert_eq!(expected.iter().map(Vec::len).collect::<Vec<_>>(), [90, 90, 18, 30]);
    let write = async {
        for batch in 0..12 {
            send("new", batch).await;
        }
    };
    let read = async {
        for _ in 0..3 {
            for ((list, field), expected) in lists.iter().zip(&expected) {
                assert_eq!(kept(list, field).await, *expected, "{list}");
            }
        }
    };
    tokio::join!(write, read);
}
