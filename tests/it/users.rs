//! Users: who is listed, and what is known of each.

use rollcall_tests::{App, KEY, event};
use serde_json::{Value, json};

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn user(id: &str, first_seen: &str, last_seen: &str) -> Value {
    json!({"user_id": id, "first_seen": first_seen, "last_seen": last_seen})
}

async fn data(app: &App, path: &str) -> Value {
    let (status, answer) = app.get(path).await;
    assert_eq!((status, &answer["next_cursor"]), (200, &Value::Null), "{path}: {answer}");
    answer["data"].clone()
}

/// The entries of all pages, one after another.
async fn all_pages(app: &App, path: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = app.get(&format!("{path}{cursor}")).await;
        assert_eq!(status, 200, "{path}: {page}");
        entries.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return entries };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_those_who_are_counted_in_the_order_of_their_ids() {
    let app = App::start().await;
    let (early, late) = ("2025-10-01T10:00:00.5Z", "2025-12-24T23:59:59Z");
    let ids = ["50%", "50_", "50x", "=1", "a/b c", "ada", "visit", "x", "\u{e4}", "\u{1F600}"];
    let mut events: Vec<Value> = ids.iter().rev().map(|id| event(&format!("1 {id}"), id, "t", early)).collect();
    for (event, field) in events.iter_mut().zip(["user_id", "user_id", "anonymous_id", "session_id"]) {
        let id = event.as_object_mut().unwrap().remove("user_id").unwrap();
        event[field] = id;
    }
    events.push(event("2", "ada", "t", late));
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let all = ids.map(|id| user(id, early, if id == "ada" { late } else { early }));
    let those = |wanted: &[&str]| -> Value {
        all.iter().filter(|user| wanted.iter().any(|id| user["user_id"] == *id)).cloned().collect::<Vec<_>>().into()
    };
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        assert_eq!(data(&app, "/users").await, json!(all));
        for (query, wanted) in [
            ("5", &["50%", "50_", "50x"][..]),
            ("50%", &["50%"]),
            ("50_", &["50_"]),
            ("a", &["a/b c", "ada"]),
            ("ada", &["ada"]),
            ("ada1", &[]),
            ("%", &[]),
            ("\u{1F600}", &["\u{1F600}"]),
            ("\u{10FFFF}", &[]),
        ] {
            assert_eq!(data(&app, &format!("/users?query={}", encoded(query))).await, those(wanted), "{query}");
        }
        for id in ids {
            let mut expected = user(id, early, if id == "ada" { late } else { early });
            let days = if id == "ada" { 2 } else { 1 };
            expected["events"] = json!(days);
            expected["days_active"] = json!(days);
            expected["sessions"] = json!(0);
            assert_eq!(app.get(&format!("/users/{}", encoded(id))).await, (200, expected.clone()), "{id}");
        }
    }
    let (status, problem) = app.get("/users/ad").await;
    assert_eq!((status, &problem["detail"]), (404, &json!("no user has this id")));
    let request = app.http.get(format!("{}/users?query=%3D&format=csv", app.url)).header("X-API-Key", KEY);
    let csv = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(csv, format!("user_id,first_seen,last_seen\n'=1,{early},{early}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_events_is_not_listed() {
    let app = App::start().await;
    app.send(&event("1", "bob", "t", "2025-10-01T10:00:00Z")).await;
    app.wait_until_stored().await;
    let number_nobody_uses = "insert into users (project_id, actor, ord) values (1, 'ada', 1000), (1, 'cid', 1001)";
    sqlx::query(number_nobody_uses).execute(&app.pool).await.unwrap();
    let bob = user("bob", "2025-10-01T10:00:00Z", "2025-10-01T10:00:00Z");
    assert_eq!(app.get("/users?limit=1").await, (200, json!({"data": [bob], "next_cursor": null})));
    assert_eq!(app.get("/users/ada").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn active_days_are_those_of_the_projects_time_zone() {
    let app = App::start().await;
    sqlx::query("insert into projects (name, time_zone) values ('berlin', 'Europe/Berlin')").execute(&app.pool).await.unwrap();
    app.add_key("berlin", "berlin-key", &["ingest", "read"]).await;
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "berlin-key");
    let (first, last) = ("2025-10-01T21:30:00Z", "2025-10-01T22:30:00Z");
    let events = json!([event("1", "ada", "t", first), event("2", "ada", "u", last), event("3", "ada", "t", last)]);
    assert_eq!(request.json(&events).send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    let expected =
        json!({"user_id": "ada", "first_seen": first, "last_seen": last, "events": 3, "days_active": 2, "sessions": 0});
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        let request = app.http.get(format!("{}/users/ada", app.url)).header("X-API-Key", "berlin-key");
        assert_eq!(request.send().await.unwrap().json::<Value>().await.unwrap(), expected);
        // Another project knows nothing of her.
        assert_eq!(app.get("/users/ada").await.0, 404);
        assert_eq!(data(&app, "/users").await, json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_whole_list_while_others_write() {
    let app = App::start().await;
    let send = async |part: usize| {
        let at = |number: usize| format!("2025-10-{:02}T10:00:{:02}Z", 1 + number % 9, part);
        let known = (0..40).map(|number| event(&format!("{part}-{number}"), &format!("u{number:02}"), "t", &at(number)));
        let others = (0..20).map(|number| event(&format!("{part}+{number}"), &format!("t{part}-{number}"), "t", &at(number)));
        app.send(&Value::from_iter(known.chain(others))).await;
    };
    send(0).await;
    app.wait_until_stored().await;
    let expected: Vec<String> = (0..40).map(|number| format!("u{number:02}")).collect();
    let write = async {
        for part in 1..20 {
            send(part).await;
        }
    };
    let read = async {
        for _ in 0..10 {
            let pages = all_pages(&app, "/users?query=u&limit=7").await;
            let ids: Vec<&str> = pages.iter().map(|user| user["user_id"].as_str().unwrap()).collect();
            assert_eq!(ids, expected);
        }
    };
    tokio::join!(write, read);
    app.wait_until_stored().await;
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        let whole = data(&app, "/users?limit=1000").await;
        assert_eq!(whole.as_array().unwrap().len(), 20 * 20 + 40);
        assert_eq!(json!(all_pages(&app, "/users?limit=7").await), whole);
    }
}
