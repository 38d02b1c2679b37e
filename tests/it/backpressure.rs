//! When the queue takes no more, and when clients give up: nothing is half accepted, nothing leaks.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rollcall_tests::{App, AppOptions, KEY, event, wait_until};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Events that do not compress.
fn bulky(first: usize) -> Value {
    bulky_events(first, 500)
}

fn bulky_events(first: usize, count: usize) -> Value {
    let random = || (0..4).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect::<String>();
    let events = (first..first + count).map(|n| {
        let mut event = event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z");
        event["properties"] = json!({"noise": random()});
        event
    });
    events.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_is_told_and_recovers_by_itself() {
    let variables = vec![("EVENTS_MAX_BYTES", (1 << 20).to_string()), ("BULK_BURST_EVENTS", "1000000".to_owned())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    let mut accepted = 0;
    let refused = loop {
        let response = app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).json(&bulky(accepted));
        let response = response.send().await.unwrap();
        if response.status() != 202 {
            break response;
        }
        accepted += 500;
        assert!(accepted < 100_000, "the stream never fills up");
    };
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "10");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "queue_full");
    // One project leaves room for the large requests of another.
    app.add_key("other", "other-key", &["ingest"]).await;
    let of_other = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "other-key").json(&bulky(0));
    assert_eq!(of_other.send().await.unwrap().status(), 202);
    // A part of the stream is for small batches.
    let (status, answer) = app.post("/events", &[], bulky_events(accepted + 500, 100).to_string()).await;
    assert_eq!(status, 202, "{answer}");
    wait_until("the API is not ready", async || {
        app.post("/events", &[], bulky_events(accepted + 500, 100).to_string()).await;
        (app.get("/health/ready").await.0 == 503).then_some(())
    })
    .await;
    let (_, answer) = app.get("/health/ready").await;
    assert_eq!((&answer["status"], &answer["dependencies"]["nats"]), (&json!("not ready"), &json!("full")), "{answer}");
    assert!(answer["reasons"][0].as_str().unwrap().contains("of 1048576 bytes wait to be stored"), "{answer}");

    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    app.wait_until_all_ready().await;
    app.send(&bulky(accepted)).await;
    app.wait_until_stored().await;
    let stored: Vec<String> = sqlx::query_scalar("select distinct client_event_id from events where project_id = 1")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    let missing = (0..accepted + 500).filter(|n| !stored.contains(&format!("e{n}"))).count();
    assert_eq!(missing, 0, "of {accepted} accepted events");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_hangs_is_told_within_the_deadline_and_recovers_by_itself() {
    let variables = vec![("PUBLISH_DEADLINE_MS", "500".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let nats = Pid::from_raw(i32::try_from(app.nats.pid()).unwrap());
    kill(nats, Signal::SIGSTOP).unwrap();
    let small = json!([event("small", "u", "t", "2026-03-01T10:00:00Z")]).to_string();
    for body in [small.clone(), bulky(0).to_string()] {
        let response =
            app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).header("Content-Type", "application/json");
        let response = response.body(body).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "queue_unavailable");
    }
    // Without ids or times: what was on its way already must be known again when it is sent again.
    let nameless = json!([{"event_type": "nameless", "user_id": 1}, {"event_type": "nameless", "user_id": 2}]).to_string();
    let (status, refused) = app.post("/events", &[], nameless.clone()).await;
    let key = refused["idempotency_key"].as_str().unwrap();
    assert_eq!(status, 503, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains(key), "{refused}");
    let own = [("Idempotency-Key", "my own")];
    let (_, refused_under_key) = app.post("/events", &own, nameless.clone()).await;
    assert_eq!(refused_under_key["idempotency_key"], "my own");
    let (status, answer) = app.get("/health/ready").await;
    assert_eq!((status, &answer["status"]), (503, &json!("not ready")), "{answer}");
    kill(nats, Signal::SIGCONT).unwrap();
    wait_until("events are accepted again", async || (app.post("/events", &[], small.clone()).await.0 == 202).then_some(()))
        .await;
    for key in [key, "my own"] {
        let (status, accepted) = app.post("/events", &[("Idempotency-Key", key)], nameless.clone()).await;
        assert_eq!((status, &accepted["events_count"]), (202, &json!(2)));
    }
    app.wait_until_all_ready().await;
    app.wait_until_stored().await;
    let nameless: i64 = sqlx::query_scalar(
        "select count(*) from events join event_types on event_types.id = events.event_type_id where name = 'nameless'",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert_eq!(nameless, 4, "two under each key, whether or not the first request arrived");
    let small: i64 =
        sqlx::query_scalar("select count(*) from events where client_event_id = 'small'").fetch_one(&app.pool).await.unwrap();
    assert_eq!(small, 1, "what was confirmed too late is not doubled by the resend");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_answers_and_stores_nothing_is_told_and_recovers_by_itself() {
    let variables = vec![("PUBLISH_DEADLINE_MS", "500".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let jetstream = app.jetstream().await;
    let mut config = jetstream.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    let subjects = std::mem::replace(&mut config.subjects, vec!["events.elsewhere".to_owned()]);
    jetstream.update_stream(&config).await.unwrap();
    let one = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]).to_string();
    assert_eq!(app.post("/events", &[], one.clone()).await.0, 503);
    let (status, answer) = app.get("/health/ready").await;
    assert_eq!((status, &answer["dependencies"]["nats"]), (503, &json!("refusing")), "{answer}");
    assert_eq!(answer["reasons"], json!(["the stream EVENTS does not confirm events; nats-server's log has the cause"]));
    config.subjects = subjects;
    jetstream.update_stream(&config).await.unwrap();
    app.wait_until_all_ready().await;
    assert_eq!(app.post("/events", &[], one.clone()).await.0, 202);
}

/// Opens a request and sends a part of its body.
async fn half_a_request(url: &str, body_bytes: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: {body_bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_clients_that_break_off_give_theirs_back() {
    let variables = vec![
        ("INGEST_MEMORY_BYTES", (2 << 20).to_string()),
        ("MAX_BODY_BYTES", (1 << 20).to_string()),
        ("INGEST_WAIT_TIMEOUT_MS", "200".to_owned()),
    ];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let mut halves = Vec::new();
    for _ in 0..2 {
        halves.push(half_a_request(&app.url, 1 << 20, (1 << 20) - 1).await);
    }
    let one = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]).to_string();
    let large = format!("{one}{}", " ".repeat(1 << 19));
    let response = wait_until("there is no room", async || {
        let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY);
        let response = request.header("Content-Type", "application/json").body(large.clone()).send().await.unwrap();
        (response.status() == 503).then_some(response)
    })
    .await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "overloaded");
    assert_eq!(app.post("/events", &[], one.clone()).await.0, 202, "there is always room for a small batch");
    drop(halves);
    wait_until("there is room again", async || (app.post("/events", &[], large.clone()).await.0 == 202).then_some(())).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1, "half a body is no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_break_off_leave_no_connection_behind() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let files = || std::fs::read_dir(format!("/proc/{}/fd", api.pid().unwrap())).unwrap().count();
    let before = files();
    let mut most = before;
    for _ in 0..300 {
        drop(half_a_request(&url, 100_000, 50_000).await);
        most = most.max(files());
    }
    assert!(most > before, "the connections were there");
    wait_until("no connection is left", async || (files() <= before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_queue_never_takes_is_told_at_once() {
    let variables = vec![("PUBLISH_DEADLINE_MS", "2000".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let jetstream = app.jetstream().await;
    let mut config = jetstream.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    let without_limit = std::mem::replace(&mut config.max_message_size, 50);
    jetstream.update_stream(&config).await.unwrap();
    let one = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]).to_string();
    let (status, answer) = app.post("/events", &[], one.clone()).await;
    assert_eq!((status, &answer["code"]), (500, &json!("internal_error")), "{answer}");
    assert_eq!(app.get("/health/ready").await.0, 200, "the queue is well");
    config.max_message_size = without_limit;
    jetstream.update_stream(&config).await.unwrap();
    let (status, answer) = app.post("/events", &[], one).await;
    assert_eq!(status, 202, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_context_that_is_none_harms_nobody() {
    let app = App::start().await;
    let long = format!("00-{}", "a".repeat(66_000));
    let one = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]).to_string();
    for traceparent in [long.as_str(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] {
        let (status, answer) = app.post("/events", &[("traceparent", traceparent)], one.clone()).await;
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(app.get("/health/ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_that_takes_too_long_makes_room_for_those_that_wait() {
    let variables = vec![
        ("INGEST_MEMORY_BYTES", (2 << 20).to_string()),
        ("MAX_BODY_BYTES", (1 << 20).to_string()),
        ("INGEST_WAIT_TIMEOUT_MS", "1000".to_owned()),
        ("MIN_BODY_BYTES_PER_SECOND", "1".to_owned()),
    ];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    let mut slow = half_a_request(&app.url, 1 << 20, 1 << 19).await;
    let drip = tokio::spawn(async move {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
        while slow.write_all(b" ").await.is_ok() {
            tick.tick().await;
        }
    });
    let large = format!("{}{}", json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]), " ".repeat(1 << 19));
    wait_until("the large body is accepted", async || (app.post("/events", &[], large.clone()).await.0 == 202).then_some(()))
        .await;
    wait_until("the slow one is closed", async || drip.is_finished().then_some(())).await;
}
