//! `GET /live`: events as they are accepted, to everybody who may see them and asked for them.

use rollcall_tests::{App, KEY, LiveReader, Poison, event, wait_until};
use serde_json::{Value, json};

fn login(id: &str) -> Value {
    event(id, "u", "login", "2026-03-01T10:00:00Z")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_is_sent_with_all_its_fields() {
    let app = App::start_without_workers(vec![]).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    app.send(&json!([{
        "event_id": "e1", "event_type": "login", "user_id": 42, "anonymous_id": "a", "session_id": "s\nx", "account_id": "acc",
        "occurred_at": "2026-03-01T11:00:00.123456789+01:00", "properties": {"n": 12345678901234567890123_f64, "t": "é😀"},
    }]))
    .await;
    let (id, mut event) = reader.event().await;
    let received = event.as_object_mut().unwrap().remove("received_at").unwrap();
    assert!(received.as_str().unwrap().ends_with('Z'), "{received}");
    assert_eq!(
        event,
        json!({
            "event_id": "e1", "event_type": "login", "user_id": "42", "anonymous_id": "a", "session_id": "s\nx",
            "account_id": "acc", "occurred_at": "2026-03-01T10:00:00.123456Z",
            "properties": {"n": 12345678901234567890123_f64, "t": "é😀"},
        })
    );
    assert_eq!(id, "1-0-1");
    app.send(&json!([login("e2"), login("e3")])).await;
    let ids = [reader.event().await.0, reader.event().await.0];
    assert_eq!(ids, ["2-0-2", "2-1-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_what_its_filters_pass() {
    let app = App::start_without_workers(vec![]).await;
    let mut by_type = LiveReader::connect(&app, &app.url, "event_type=buy%20now").await;
    let mut by_user = LiveReader::connect(&app, &app.url, "user_id=ann").await;
    let mut by_session = LiveReader::connect(&app, &app.url, "session_id=s1&event_type=login").await;
    app.send(&json!([
        {"event_id": "e0", "event_type": "login", "user_id": "bob", "anonymous_id": "ann", "session_id": "s2"},
        {"event_id": "e1", "event_type": "login", "user_id": "ann"},
        {"event_id": "e2", "event_type": "buy now", "anonymous_id": "ann", "session_id": "s1"},
        {"event_id": "e3", "event_type": "login", "session_id": "ann"},
        {"event_id": "e4", "event_type": "login", "session_id": "s1"},
        {"event_id": "e5", "event_type": "buy now", "user_id": "ann"},
    ]))
    .await;
    assert_eq!(by_user.event_ids(4).await, ["e1", "e2", "e3", "e5"], "the actor is the first id there is");
    assert_eq!(by_type.event_ids(2).await, ["e2", "e5"]);
    assert_eq!(by_session.event_ids(1).await, ["e4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_events_of_its_own_project_only() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("other", "other-key", &["ingest", "read"]).await;
    let mut mine = LiveReader::connect(&app, &app.url, "").await;
    let mut others = LiveReader::of(LiveReader::ask(&app, &app.url, "", "other-key", None).await).await;
    for (key, id) in [("other-key", "theirs"), (KEY, "mine"), ("other-key", "theirs too")] {
        let sent = app.http.post(format!("{}/events", app.url)).header("X-API-Key", key).json(&login(id)).send().await.unwrap();
        assert_eq!(sent.status(), 202);
    }
    assert_eq!(mine.event_ids(1).await, ["mine"]);
    assert_eq!(others.event_ids(2).await, ["theirs", "theirs too"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_every_replica_get_every_event() {
    let app = App::start_without_workers(vec![]).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let mut here = LiveReader::connect(&app, &app.url, "").await;
    let mut there = LiveReader::connect(&app, &url, "").await;
    app.send(&json!([login("e1")])).await;
    let sent = app.http.post(format!("{url}/events")).header("X-API-Key", KEY).json(&login("e2")).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    let (first, second) = ([here.event().await, here.event().await], [there.event().await, there.event().await]);
    assert_eq!(first, second, "with the same ids");
    assert_eq!([&first[0].1["event_id"], &first[1].1["event_id"]], ["e1", "e2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_refuses_is_not_sent() {
    let app = App::start_without_workers(vec![("EVENTS_MAX_BYTES", (1 << 20).to_string())]).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    let mut accepted = 0;
    let mut last = 202;
    for batch in 0.. {
        let noise: String = (0..3_000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let event = json!([{"event_id": format!("e{batch}"), "event_type": "t", "user_id": "u", "properties": {"noise": &noise[..60_000]}}]);
        last = app.post("/events", &[], event.to_string()).await.0;
        if last != 202 {
            break;
        }
        accepted += 1;
    }
    assert_eq!(last, 503);
    let expected: Vec<_> = (0..accepted).map(|batch| format!("e{batch}")).collect();
    assert_eq!(reader.event_ids(accepted).await, expected);
    // Room for a small one.
    app.jetstream().await.get_stream("EVENTS").await.unwrap().purge().await.unwrap();
    app.send(&json!([login("after")])).await;
    assert_eq!(reader.event_ids(1).await, ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redriven_event_is_not_sent_again() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    app.send(&json!([Poison::in_event(login("bad"))])).await;
    wait_until("it is a dead letter", async || {
        (app.get("/admin/dead-letters").await.1["data"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let (status, answer) = app.call(reqwest::Method::POST, "/admin/dead-letters/redrive").await;
    assert_eq!((status, &answer["redriven"]), (200, &json!(1)), "{answer}");
    app.send(&json!([login("good")])).await;
    assert_eq!(reader.event_ids(2).await, ["bad", "good"]);
}
