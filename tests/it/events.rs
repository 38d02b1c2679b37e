//! Events read back: lists, timelines and pages.

use jiff::ToSpan;
use proptest::prelude::{Strategy, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollcall_tests::{App, event};
use serde_json::{Value, json};

/// The answer to a question that must be answered, without the times of receipt, which nobody can foresee.
async fn read(app: &App, path: &str) -> Value {
    let (status, mut answer) = app.get(path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    for event in answer["data"].as_array_mut().unwrap() {
        let received_at = event.as_object_mut().unwrap().remove("received_at").unwrap();
        received_at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    answer
}

/// The ids of all pages, one after another.
async fn ids_of_all_pages(app: &App, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = None;
    for _ in 0..1_000 {
        let page = read(app, &cursor.map_or_else(|| path.to_owned(), |cursor: String| format!("{path}&cursor={cursor}"))).await;
        ids.extend(page["data"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
    panic!("{path}: the pages do not end");
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_back_as_they_were_sent() {
    let app = App::start().await;
    app.send(&json!([
        {"event_id": "7B0E4A52-6A0F-4C43-9D0B-1F3F5F0F7A11", "occurred_at": "2025-10-01T12:00:00.123456+02:00", "user_id": 42,
         "event_type": "login", "properties": {"b": 1, "a": [1.50, null, {"x": "\u{1F600}"}]}},
        {"event_id": "evt 001/\u{e4}%", "anonymous_id": "anon/1", "session_id": "s \u{1F600}", "account_id": "acc&1", "type": "page view",
         "ts": 1_759_312_800},
    ]))
    .await;
    app.wait_until_stored().await;
    let (first, second) = (
        json!({"event_id": "7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11", "event_type": "login", "user_id": "42", "anonymous_id": null,
               "session_id": null, "account_id": null, "occurred_at": "2025-10-01T10:00:00.123456Z",
               "properties": {"b": 1, "a": [1.50, null, {"x": "\u{1F600}"}]}}),
        json!({"event_id": "evt 001/\u{e4}%", "event_type": "page view", "user_id": null, "anonymous_id": "anon/1",
               "session_id": "s \u{1F600}", "account_id": "acc&1", "occurred_at": "2025-10-01T10:00:00Z", "properties": {}}),
    );
    let whole = |events: &[&Value]| json!({"data": events, "next_cursor": null});
    assert_eq!(read(&app, "/events").await, whole(&[&first, &second]));
    assert_eq!(read(&app, "/events?order=asc").await, whole(&[&second, &first]));
    for (question, expected) in [
        ("/events?event_type=login".to_owned(), whole(&[&first])),
        (format!("/events?event_type={}", encoded("page view")), whole(&[&second])),
        ("/events?event_type=nothing".to_owned(), whole(&[])),
        ("/users/42/events".to_owned(), whole(&[&first])),
        ("/events/42".to_owned(), whole(&[&first])),
        (format!("/users/{}/events", encoded("anon/1")), whole(&[&second])),
        ("/users/nobody/events".to_owned(), whole(&[])),
        ("/events?user_id=42&event_type=login".to_owned(), whole(&[&first])),
        ("/events?user_id=42&account_id=acc%261".to_owned(), whole(&[])),
        (format!("/sessions/{}/events", encoded("s \u{1F600}")), whole(&[&second])),
        ("/sessions/nothing/events".to_owned(), whole(&[])),
        ("/events?account_id=acc%261".to_owned(), whole(&[&second])),
        ("/events?event_id=7B0E4A52-6A0F-4C43-9D0B-1F3F5F0F7A11".to_owned(), whole(&[&first])),
        (format!("/events?event_id={}", encoded("evt 001/\u{e4}%")), whole(&[&second])),
        ("/events?event_id=none".to_owned(), whole(&[])),
        ("/events?where=b:1".to_owned(), whole(&[&first])),
        ("/events?where=b:exists:false".to_owned(), whole(&[&second])),
        ("/events?from=2025-10-01&to=2025-10-01".to_owned(), whole(&[&first, &second])),
        ("/events?to=2025-09-30".to_owned(), whole(&[])),
        ("/events?from=2025-10-01T10:00:00.123456Z".to_owned(), whole(&[&first])),
        ("/events?to=2025-10-01T10:00:00.123456Z".to_owned(), whole(&[&second])),
    ] {
        assert_eq!(read(&app, &question).await, expected, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_time_of_its_own_is_found_by_its_id() {
    let app = App::start().await;
    app.send(
        &json!([{"event_id": "undated", "user_id": "ada", "event_type": "t"}, event("a", "ada", "t", "2025-10-01T10:00:00Z")]),
    )
    .await;
    app.wait_until_stored().await;
    let found = read(&app, "/events?event_id=undated").await;
    assert_eq!((found["data"][0]["event_id"].clone(), found["data"].as_array().unwrap().len()), (json!("undated"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_those_of_the_projects_time_zone() {
    let app = App::start().await;
    sqlx::query("insert into projects (name, time_zone) values ('berlin', 'Europe/Berlin')").execute(&app.pool).await.unwrap();
    app.add_key("berlin", "berlin-key", &["ingest", "read"]).await;
    let send = |body: Value| app.http.post(format!("{}/events", app.url)).header("X-API-Key", "berlin-key").json(&body).send();
    // 2025-03-30 has 23 hours there, from 23:00 to 22:00 in UTC.
    let events = ["2025-03-29T22:59:59.999999Z", "2025-03-29T23:00:00Z", "2025-03-30T21:59:59.999999Z", "2025-03-30T22:00:00Z"];
    let batch: Vec<_> = events.iter().map(|at| event(at, "ada", "t", at)).collect();
    assert_eq!(send(json!(batch)).await.unwrap().status(), 202);
    app.wait_until_stored().await;
    let request =
        app.http.get(format!("{}/events?from=2025-03-30&to=2025-03-30&order=asc", app.url)).header("X-API-Key", "berlin-key");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let ids: Vec<_> = answer["data"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, events[1..3]);
    // Another project sees nothing of it.
    assert_eq!(read(&app, "/events").await["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_whole_list_while_events_arrive() {
    let app = App::start().await;
    // Many at one instant, so that pages end within it.
    let batch: Vec<_> = (0..200)
        .map(|number| {
            let at = format!("2025-10-{:02}T10:00:{:02}Z", 1 + number / 50, number % 3);
            event(&format!("{number:03}"), &format!("u{}", number % 7), &format!("t{}", number % 5), &at)
        })
        .collect();
    app.send(&json!(batch)).await;
    app.wait_until_stored().await;
    let whole = ids_of_all_pages(&app, "/events?limit=1000").await;
    assert_eq!(whole.len(), 200);
    let mut cursor = String::new();
    let mut ids = Vec::new();
    for page_number in 0.. {
        let page = read(&app, &format!("/events?limit=7{cursor}")).await;
        ids.extend(page["data"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        if page_number % 5 == 0 {
            // Later than everything that is listed, and earlier than everything.
            let new = |name: &str, at: &str| event(&format!("{name}-{page_number}"), "u1", "t1", at);
            app.send(&json!([new("late", "2025-10-09T10:00:00Z"), new("early", "2025-09-01T10:00:00Z")])).await;
            app.wait_until_stored().await;
        }
    }
    let new = ids.split_off(200);
    assert_eq!(ids, whole);
    assert!(new.iter().all(|id| id.starts_with("early")), "{new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_continues_only_the_list_that_it_came_from() {
    let app = App::start().await;
    app.add_key("other", "other-key", &["read"]).await;
    let batch: Vec<_> = (0..3).map(|number| event(&number.to_string(), "ada", "t", "2025-10-01T10:00:00Z")).collect();
    app.send(&json!(batch)).await;
    app.wait_until_stored().await;
    let page = read(&app, "/events?limit=1&user_id=ada").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(read(&app, &format!("/events?limit=2&user_id=ada&cursor={cursor}")).await["data"].as_array().unwrap().len(), 2);
    let mut tampered = cursor.to_owned();
    tampered.replace_range(30..31, if &cursor[30..31] == "A" { "B" } else { "A" });
    for question in [
        format!("/events?limit=1&user_id=bob&cursor={cursor}"),
        format!("/events?limit=1&cursor={cursor}"),
        format!("/users/ada/events?limit=1&cursor={cursor}"),
        format!("/events?limit=1&user_id=ada&cursor={tampered}"),
        "/events?cursor=x".to_owned(),
        format!("/events?cursor={}", "A".repeat(5_000)),
    ] {
        let (status, answer) = app.get(&question).await;
        assert_eq!((status, answer["errors"][0]["code"].as_str()), (400, Some("invalid_cursor")), "{question}: {answer}");
    }
    let request =
        app.http.get(format!("{}/events?limit=1&user_id=ada&cursor={cursor}", app.url)).header("X-API-Key", "other-key");
    assert_eq!(request.send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_very_many_days_finds_all_of_its_events() {
    let app = App::start().await;
    let first: jiff::civil::Date = "2025-01-01".parse().unwrap();
    let days: Vec<String> = (0..130_i64).map(|n| format!("{}T10:00:00Z", first + n.days())).collect();
    app.send(&days.iter().map(|day| event("again", "u", "t", day)).collect()).await;
    app.wait_until_stored().await;
    for (order, expected) in [("asc", days.clone()), ("desc", days.iter().rev().cloned().collect())] {
        let found = app.get(&format!("/events?event_id=again&limit=1000&order={order}")).await.1;
        let found: Vec<&str> =
            found["data"].as_array().unwrap().iter().map(|event| event["occurred_at"].as_str().unwrap()).collect();
        assert_eq!(found, expected);
    }
}

/// An event as drawn, from small ranges.
#[derive(Debug, Clone)]
struct Draw {
    id: u16,
    user: u8,
    session: Option<u8>,
    account: Option<u8>,
    event_type: u8,
    minute: u32,
    plan: u8,
}

fn draw() -> impl Strategy<Value = Draw> {
    let minute = 0..120 * 24 * 60_u32;
    let drawn = (0..400_u16, 0..6_u8, prop::option::of(0..5_u8), prop::option::of(0..3_u8), 0..4_u8, minute, 0..3_u8);
    // Whole days are frequent, so that many events meet at one instant.
    drawn.prop_map(|(id, user, session, account, event_type, minute, plan)| Draw {
        id,
        user,
        session,
        account,
        event_type,
        minute: if id % 3 == 0 { minute / 1440 * 1440 } else { minute },
        plan,
    })
}

impl Draw {
    fn at(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_735_689_600 + i64::from(self.minute) * 60).unwrap()
    }

    fn json(&self) -> Value {
        let mut event =
            event(&self.id.to_string(), &format!("u{}", self.user), &format!("t{}", self.event_type), &self.at().to_string());
        event["properties"] = json!({ "plan": format!("p{}", self.plan) });
        if let Some(session) = self.session {
            event["session_id"] = json!(format!("s{session}"));
        }
        if let Some(account) = self.account {
            event["account_id"] = json!(format!("a{account}"));
        }
        event
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_selection_equals_a_naive_model_on_random_histories() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let app = App::start().await;
    let draws = prop::collection::vec(draw(), 600..601).new_tree(&mut runner).unwrap().current();
    // The first of equal identities stays: the same id on the same UTC day.
    let mut model: Vec<&Draw> = Vec::new();
    for draw in &draws {
        let is_same = |known: &&Draw| known.id == draw.id && known.minute / 1440 == draw.minute / 1440;
        if !model.iter().any(is_same) {
            model.push(draw);
        }
    }
    for batch in draws.chunks(200) {
        app.send(&Value::from_iter(batch.iter().map(Draw::json))).await;
        app.wait_until_stored().await;
    }
    assert_eq!(app.stored().await, model.len() as i64);
    type Matches = fn(&Draw) -> bool;
    let cases: [(&str, Matches); 9] = [
        ("", |_| true),
        ("&event_type=t1", |draw| draw.event_type == 1),
        ("&user_id=u2", |draw| draw.user == 2),
        ("&session_id=s3", |draw| draw.session == Some(3)),
        ("&account_id=a0", |draw| draw.account == Some(0)),
        ("&event_id=12", |draw| draw.id == 12),
        ("&where=plan:p1", |draw| draw.plan == 1),
        ("&where=plan:ne:p1&event_type=t0&user_id=u1", |draw| draw.plan != 1 && draw.event_type == 0 && draw.user == 1),
        ("&from=2025-02-10&to=2025-03-05T07:30:00Z&event_type=t2", |draw| {
            draw.event_type == 2 && (40 * 1440..63 * 1440 + 450).contains(&draw.minute)
        }),
    ];
    for (filter, matches) in cases {
        let mut expected: Vec<_> = model.iter().filter(|draw| matches(draw)).map(|draw| (draw.minute, draw.id)).collect();
        expected.sort_unstable();
        for (order, limit) in [("desc", 1000), ("asc", 1000), ("desc", 17), ("asc", 7)] {
            let ids = ids_of_all_pages(&app, &format!("/events?order={order}&limit={limit}{filter}")).await;
            let mut found: Vec<(u32, u16)> = Vec::new();
            for id in ids {
                let id: u16 = id.parse().unwrap();
                // Ids recur on other days; the next in order is meant.
                let same_id = expected.iter().filter(|(_, known)| *known == id).copied();
                let mut left: Vec<_> = same_id.filter(|key| !found.contains(key)).collect();
                if order == "desc" {
                    left.reverse();
                }
                found.push(*left.first().unwrap_or_else(|| panic!("{filter} {order}: {id} is listed too often")));
            }
            // Events of one minute are in the order of their internal ids, which the model does not know.
            let minutes: Vec<_> = found.iter().map(|(minute, _)| *minute).collect();
            let mut sorted = minutes.clone();
            sorted.sort_unstable();
            if order == "desc" {
                sorted.reverse();
            }
            assert_eq!(minutes, sorted, "{filter} {order} {limit}");
            found.sort_unstable();
            assert_eq!(found, expected, "{filter} {order} {limit}");
        }
    }
}
