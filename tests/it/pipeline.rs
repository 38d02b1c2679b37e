//! `/pipeline`: compared with JetStream's and PostgreSQL's own figures.

use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::consumers as consumers_of;
use rollcall_tests::{App, AppOptions, Poison, event, wait_until};
use serde_json::{Value, json};
use strum::VariantArray as _;

/// The figures that JetStream gives.
async fn figures(app: &App) -> Value {
    let context = app.jetstream().await;
    let stream = context.get_stream("EVENTS").await.unwrap();
    let events = stream.get_info().await.unwrap();
    let mut consumers = Vec::new();
    for name in Priority::VARIANTS.iter().flat_map(|priority| consumers_of(*priority)) {
        let consumer = stream.consumer_info(&name).await.unwrap();
        consumers.push(json!({"name": name, "pending": consumer.num_pending, "in_flight": consumer.num_ack_pending,
                              "redelivered": consumer.num_redelivered}));
    }
    let letters = context.get_stream("EVENTS_DLQ").await.unwrap().get_info().await.unwrap().state;
    json!({
        "stream": {"messages": events.state.messages, "bytes": events.state.bytes, "max_bytes": events.config.max_bytes},
        "consumers": consumers,
        "dead_letters": {"count": letters.messages, "bytes": letters.bytes},
    })
}

/// What `/pipeline` says of the same, and the age of the oldest event.
async fn said(app: &App) -> (Value, f64) {
    let (status, mut answer) = app.get("/pipeline").await;
    assert_eq!(status, 200, "{answer}");
    let age = answer["stream"].as_object_mut().unwrap().remove("oldest_unstored_age_seconds").unwrap().as_f64().unwrap();
    let same = ["stream", "consumers", "dead_letters"].map(|name| (name.to_owned(), answer[name].take()));
    (Value::Object(same.into_iter().collect()), age)
}

#[tokio::test(flavor = "multi_thread")]
async fn its_figures_are_those_of_jetstream_while_events_wait_and_after() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    Poison::lay(&app.pool).await;
    for n in 0..5 {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
    app.send(&Poison::in_event(event("bad", "u", "t", "2026-03-01T10:00:00Z"))).await;
    let large: Vec<_> = (0..1_000).map(|n| event(&format!("large-{n}"), "u", "t", "2026-03-01T10:00:00Z")).collect();
    app.send(&json!(large)).await;
    // The server counts a message for its consumer a moment after it has confirmed it.
    let (waiting, age) = wait_until("the consumers have all events before them", async || {
        // The project 1 is in the shard 1, after the consumer of the events with normal priority and the shard 0.
        Some(said(&app).await).filter(|(said, _)| said["consumers"][0]["pending"] == 6 && said["consumers"][2]["pending"] == 1)
    })
    .await;
    assert_eq!(waiting, figures(&app).await);
    assert_eq!((&waiting["stream"]["messages"], &waiting["consumers"][2]["name"]), (&json!(7), &json!("bulk-1")));
    let older = wait_until("the oldest event grows older", async || Some(said(&app).await.1).filter(|later| *later > age)).await;
    assert!(older < 3600.0, "{older}");

    let (mut worker, _) = app.process("worker");
    worker.start();
    wait_until("the refused one waits alone", async || {
        let (said, _) = said(&app).await;
        (said["consumers"][0]["redelivered"] == 1 && said["stream"]["messages"] == 1).then_some(())
    })
    .await;
    app.wait_until_stored().await;
    let (done, age) = said(&app).await;
    assert_eq!(done, figures(&app).await);
    assert_eq!((&done["stream"]["messages"], &done["dead_letters"]["count"], age), (&json!(0), &json!(1), 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_tell_what_they_stored_and_what_went_wrong() {
    let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
    Poison::lay(&app.pool).await;
    for n in 0..50 {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
    app.send(&Poison::in_event(event("bad", "u", "t", "2026-03-01T10:00:00Z"))).await;
    let answer = wait_until("the reports are in", async || {
        let (_, answer) = app.get("/pipeline").await;
        let stored = answer["workers"].as_array()?.iter().filter_map(|worker| worker["events_stored"].as_i64()).sum::<i64>();
        (stored == 50 && !answer["last_error"].is_null()).then_some(answer)
    })
    .await;
    assert_eq!(app.stored().await, 50);
    assert_eq!(answer["workers"].as_array().unwrap().len(), 2);
    assert_eq!(answer["dependencies"], json!({"postgres": "up", "nats": "up"}));
    assert_eq!(answer["last_error"]["message"], "1 events were refused: refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_wherever_it_is() {
    let app = App::start().await;
    let without_time = |id: &str| json!({"event_id": id, "user_id": "u", "event_type": "t"});
    app.send(&json!([
        event("timed", "u", "t", "2026-03-01T10:00:00Z"),
        event("timed", "u", "t", "2026-03-02T10:00:00Z"),
        event("both", "u", "t", "2026-03-01T10:00:00Z"),
        without_time("both"),
        without_time("timeless"),
    ]))
    .await;
    app.wait_until_stored().await;
    for (id, expected) in [
        ("timed", json!({"event_id": "timed", "status": "stored", "days": ["2026-03-01", "2026-03-02"], "undated": false})),
        ("timeless", json!({"event_id": "timeless", "status": "stored", "days": [], "undated": true})),
        ("both", json!({"event_id": "both", "status": "stored", "days": ["2026-03-01"], "undated": true})),
        ("never%20sent", json!({"event_id": "never sent", "status": "unknown"})),
    ] {
        assert_eq!(app.get(&format!("/pipeline/events/{id}")).await, (200, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_queue_the_rest_is_told() {
    let mut app = App::start().await;
    app.nats.kill();
    let answer = wait_until("the queue is down and the worker has reported", async || {
        let (status, answer) = app.get("/pipeline").await;
        assert_eq!(status, 200, "{answer}");
        (answer["dependencies"]["nats"] == "down" && answer["workers"].as_array()?.len() == 1).then_some(answer)
    })
    .await;
    assert_eq!(answer["stream"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_key_sees_its_own_share() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let key = app.make_key("shop", &["ingest", "read"]).await.key;
    let share = async || app.get_as(&key, "/pipeline", &[]).await.1;
    let expected = |messages: u64, letters: u64| {
        json!({"dependencies": {"postgres": "up", "nats": "up"},
               "stream": {"messages": messages, "bytes": null, "max_bytes": null, "oldest_unstored_age_seconds": null},
               "consumers": null, "dead_letters": {"count": letters, "bytes": null}, "events_stored_per_second": null,
               "workers": null, "last_error": null, "archive": null})
    };
    assert_eq!(share().await, expected(0, 0));
    Poison::lay(&app.pool).await;
    for n in 0..4 {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
    app.send(&Poison::in_event(event("bad", "u", "t", "2026-03-01T10:00:00Z"))).await;
    assert_eq!(share().await, expected(0, 0), "what waits is of another project");
    let bad = |n: usize| Poison::in_event(event(&format!("bad{n}"), "u", "t", "2026-03-01T10:00:00Z"));
    app.send_with(&key, &json!([bad(0), bad(1), bad(2)])).await;
    app.send_with(&key, &json!([event("e", "u", "t", "2026-03-01T10:00:00Z")])).await;
    assert_eq!(share().await, expected(2, 0));
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    assert_eq!(share().await, expected(0, 3));
    assert_eq!(app.get("/pipeline").await.1["dead_letters"]["count"], 4);
}
