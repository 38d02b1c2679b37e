//! Dead letters: how they come about, and how they come back.

use reqwest::Method;
use rollcall_tests::{App, KEY, Poison, event, wait_until};
use serde_json::{Value, json};

const LIST: &str = "/admin/dead-letters";

async fn letters(app: &App, query: &str) -> Vec<Value> {
    let (status, answer) = app.get(&format!("{LIST}{query}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().clone()
}

/// Waits until there are `count` dead letters, each redriven this many times.
async fn wait_until_letters_come(app: &App, count: usize, redrives: u64) -> Vec<Value> {
    wait_until(&format!("{count} dead letters, redriven {redrives} times"), async || {
        let letters = letters(app, "?limit=1000").await;
        (letters.len() == count && letters.iter().all(|letter| letter["redrives"] == redrives)).then_some(letters)
    })
    .await
}

/// Sends events that PostgreSQL refuses, and waits for their dead letters.
async fn bury(app: &App, count: usize) -> Vec<Value> {
    Poison::lay(&app.pool).await;
    let events: Vec<_> = (0..count).map(|n| poison(&format!("bad-{n}"))).collect();
    app.send(&json!(events)).await;
    wait_until_letters_come(app, count, 0).await
}

fn poison(id: &str) -> Value {
    Poison::in_event(event(id, "u", "t", "2026-03-01T10:00:00Z"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_a_hundred_thousand_is_one_dead_letter_and_comes_back() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    let mut events: Vec<_> =
        (0..100_000).map(|n| event(&format!("e{n}"), &format!("u{}", n % 500), "t", "2026-03-01T10:00:00Z")).collect();
    events[70_707] = poison("e70707");
    app.send(&json!(events)).await;
    wait_until("all the others are stored", async || (app.stored().await == 99_999).then_some(())).await;
    let refused: i32 = wait_until("the bad one was refused", async || {
        sqlx::query_scalar("select refusals from troubled_messages").fetch_optional(&app.pool).await.unwrap()
    })
    .await;
    assert!(refused <= 5, "a dead letter is written only after five retries");

    let letters = wait_until_letters_come(&app, 1, 0).await;
    app.wait_until_stored().await;
    let mut letter = letters[0].clone();
    for varying in ["first_seen", "failed_at", "reason", "origin", "request_ids"] {
        assert!(letter.as_object_mut().unwrap().remove(varying).is_some(), "{varying}");
    }
    let expected = json!({"id": "1", "kind": "event", "code": "refused", "attempts": 6, "redrives": 0, "events_count": 1,
        "event_id": "e70707", "event_type": "t"});
    assert_eq!(letter, expected);
    assert!(letters[0]["reason"].as_str().unwrap().contains("violates check constraint"), "{}", letters[0]["reason"]);
    let (_, shown) = app.get(&format!("{LIST}/1")).await;
    assert_eq!(shown["events"][0]["event_id"], "e70707");
    assert_eq!(shown["events"][0]["occurred_at"], "2026-03-01T10:00:00Z");
    assert_eq!(shown["events"][0]["properties"], Poison::properties());
    let (_, answer) = app.get("/pipeline/events/e70707").await;
    assert_eq!((&answer["status"], &answer["dead_letter"]["id"]), (&json!("dead_lettered"), &json!("1")));
    assert_eq!(app.stored().await, 99_999);

    Poison::lift(&app.pool).await;
    let (status, answer) = app.call(Method::POST, &format!("{LIST}/1/redrive")).await;
    assert_eq!((status, answer), (200, json!({"matched": 1, "redriven": 1, "events_count": 1, "next_cursor": null})));
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 100_000);
    assert_eq!(self::letters(&app, "").await, Vec::<Value>::new());
    let (_, answer) = app.get("/pipeline/events/e70707").await;
    assert_eq!(answer, json!({"event_id": "e70707", "status": "stored", "days": ["2026-03-01"], "undated": false}));
    assert_eq!(app.ask("/stats/dau?from=2026-03-01&to=2026-03-01").await["data"][0]["unique_users"], 501);
    app.wait_until_no_message_is_counted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redriving_twice_at_once_stores_once() {
    let app = App::start().await;
    bury(&app, 20).await;
    Poison::lift(&app.pool).await;
    let redrive = || app.call(Method::POST, "/admin/dead-letters/redrive");
    let (first, second) = tokio::join!(redrive(), redrive());
    assert_eq!((first.0, second.0), (200, 200), "{first:?} {second:?}");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 20);
    assert_eq!(letters(&app, "").await, Vec::<Value>::new());
    let (status, answer) = app.call(Method::POST, "/admin/dead-letters/1/redrive").await;
    assert_eq!((status, &answer["message"]), (404, &json!("no dead letter has this id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_comes_back_with_its_count_raised() {
    let app = App::start().await;
    bury(&app, 3).await;
    for redrives in 1..=2 {
        let (status, answer) = app.call(Method::POST, "/admin/dead-letters/redrive").await;
        assert_eq!((status, &answer["redriven"]), (200, &json!(3)), "{answer}");
        wait_until_letters_come(&app, 3, redrives).await;
    }
    Poison::lift(&app.pool).await;
    app.call(Method::POST, "/admin/dead-letters/redrive").await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_a_dead_letter_again_makes_no_second_one() {
    let app = App::start().await;
    bury(&app, 1).await;
    app.send(&poison("bad-0")).await;
    app.wait_until_stored().await;
    assert_eq!(letters(&app, "").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_filtered_paged_and_purged() {
    let app = App::start().await;
    let all = bury(&app, 5).await;
    let ids = |letters: &[Value]| letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    for (query, matches) in [
        ("?code=refused", 5),
        ("?code=undecodable", 0),
        ("?event_type=t", 5),
        ("?event_type=other", 0),
        ("?event_id=bad-3", 1),
        ("?event_id=bad", 0),
        (&format!("?from={today}"), 5),
        ("?to=2026-03-01", 0),
        ("?event_id=bad-3&event_type=t&code=refused", 1),
    ] {
        assert_eq!(letters(&app, query).await.len(), matches, "{query}");
    }

    let (_, first) = app.get(&format!("{LIST}?limit=3")).await;
    let cursor = first["next_cursor"].as_str().expect("there are more");
    let (_, second) = app.get(&format!("{LIST}?limit=3&cursor={cursor}")).await;
    assert_eq!(second["next_cursor"], Value::Null);
    let paged = [first["data"].as_array().unwrap().clone(), second["data"].as_array().unwrap().clone()].concat();
    assert_eq!(ids(&paged), ids(&all));

    let redrive = format!("{LIST}/redrive?event_id=bad-3&dry_run=true");
    let expected = json!({"matched": 1, "redriven": 0, "events_count": 1, "next_cursor": null});
    assert_eq!(app.call(Method::POST, &redrive).await, (200, expected));
    assert_eq!(letters(&app, "").await.len(), 5, "a dry run changes nothing");

    let expected = json!({"matched": 1, "purged": 1, "events_count": 1, "next_cursor": null});
    assert_eq!(app.call(Method::DELETE, &format!("{LIST}?event_id=bad-3")).await, (200, expected.clone()));
    assert_eq!(app.call(Method::DELETE, &format!("{LIST}/{}", ids(&all)[0])).await, (200, expected));
    assert_eq!(letters(&app, "").await.len(), 3);
    let (status, answer) = app.call(Method::DELETE, LIST).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("all")), "{answer}");
    let (status, answer) = app.call(Method::DELETE, &format!("{LIST}?all=true")).await;
    assert_eq!((status, &answer["purged"]), (200, &json!(3)));
    assert_eq!(letters(&app, "").await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_named() {
    let app = App::start().await;
    for (path, field) in [
        ("?code=nonsense", "code"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?cursor=x", "cursor"),
        ("?from=yesterday", "from"),
        ("?colour=red", "colour"),
    ] {
        let (status, answer) = app.get(&format!("{LIST}{path}")).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!(field)), "{path}: {answer}");
    }
    assert_eq!(app.get(&format!("{LIST}/7")).await.0, 404);
    assert_eq!(app.get(&format!("{LIST}/x")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_is_a_dead_letter_at_once() {
    let app = App::start().await;
    let jetstream = app.jetstream().await;
    for payload in [&b"\x28\xb5\x2f\xfd no zstd"[..], b"{\"not\":\"an event\"}\n"] {
        jetstream.publish("events.ingest.1", payload.into()).await.unwrap().await.unwrap();
    }
    app.send(&event("good", "u", "t", "2026-03-01T10:00:00Z")).await;
    app.wait_until_stored().await;
    let letters = wait_until_letters_come(&app, 2, 0).await;
    for letter in letters {
        assert_eq!(
            (&letter["code"], &letter["kind"], &letter["attempts"]),
            (&json!("undecodable"), &json!("message"), &json!(1))
        );
    }
    assert_eq!(app.stored().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_other_projects_cannot_be_seen_or_touched() {
    let app = App::start().await;
    bury(&app, 1).await;
    app.add_key("other", "other-key", &["admin"]).await;
    let ask = async |method: Method, path: &str, key: &str| {
        let answer = app.http.request(method, format!("{}{path}", app.url)).header("X-API-Key", key).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(ask(Method::GET, LIST, "other-key").await, (200, json!({"data": [], "next_cursor": null})));
    assert_eq!(ask(Method::GET, "/admin/dead-letters/1", "other-key").await.0, 404);
    assert_eq!(ask(Method::POST, "/admin/dead-letters/1/redrive", "other-key").await.0, 404);
    assert_eq!(ask(Method::DELETE, "/admin/dead-letters/1", "other-key").await.0, 404);
    assert_eq!(ask(Method::DELETE, "/admin/dead-letters?all=true", "other-key").await.1["purged"], 0);
    assert_eq!(ask(Method::GET, "/pipeline/events/bad-0", "other-key").await.1["status"], "unknown");
    assert_eq!(ask(Method::GET, LIST, KEY).await.1["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_shown_as_it_was_sent() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    // Digits that no double holds are JSON all the same.
    let properties = r#"{"poison":true,"huge":1e300,"exact":12345678901234567890123}"#;
    let body = format!(r#"{{"event_id":"odd","event_type":"t","user_id":"u","properties":{properties}}}"#);
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    let letters = wait_until_letters_come(&app, 1, 0).await;
    let id = letters[0]["id"].as_str().unwrap();
    let request = app.http.get(format!("{}{LIST}/{id}", app.url)).header("X-API-Key", KEY);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!(r#""properties":{properties}"#)), "{text}");
}
