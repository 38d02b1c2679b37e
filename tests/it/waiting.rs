//! `?wait=stored`: the answer after the commit.

use std::time::Duration;

use rollcall_shared::queue::stream::STREAM;
use rollcall_tests::{App, AppOptions, Poison, event, wait_until};
use serde_json::{Value, json};

fn events(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|n| event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_counts_what_is_stored() {
    let app = App::start().await;
    let ask = async |body: Value| app.post("/events?wait=stored&timeout_ms=30000", &[], body.to_string()).await;
    let (status, answer) = ask(json!(events(0..3))).await;
    let counts =
        |answer: &Value| [&answer["inserted"], &answer["duplicates"], &answer["dead_lettered"]].map(|n| n.as_u64().unwrap());
    assert_eq!((status, &answer["status"]), (200, &json!("stored")), "{answer}");
    assert_eq!(counts(&answer), [3, 0, 0]);
    assert_eq!(app.stored().await, 3, "stored before the answer");
    let twice = [events(2..5), events(4..5)].concat();
    assert_eq!(counts(&ask(json!(twice)).await.1), [2, 2, 0]);

    let large: Vec<_> = events(5..50_005);
    let (status, answer) = ask(json!(large)).await;
    assert_eq!((status, counts(&answer)), (200, [50_000, 0, 0]), "over several messages");
    assert_eq!(app.stored().await, 50_005);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_counted_once_they_are_written() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    let mut batch = events(0..3);
    batch[1] = Poison::in_event(batch[1].clone());
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=30000", &[], json!(batch).to_string()).await;
    let counts = [&answer["inserted"], &answer["duplicates"], &answer["dead_lettered"]];
    assert_eq!((status, counts), (200, [&json!(2), &json!(0), &json!(1)]), "{answer}");
    let (_, letters) = app.get("/admin/dead-letters").await;
    assert_eq!(letters["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_two_requests_have_is_refused_for_both() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    Poison::lay(&app.pool).await;
    let batch = json!([Poison::in_event(events(0..1).remove(0))]);
    app.send(&batch).await;
    let context = app.jetstream().await;
    let both_wait = async {
        wait_until("both wait in the queue", async || {
            let stream = context.get_stream(STREAM).await.ok()?;
            (stream.cached_info().state.messages == 2).then_some(())
        })
        .await;
        let (mut worker, _) = app.process("worker");
        worker.start();
        worker
    };
    // One batch of the worker has them both.
    let asked = app.post("/events?wait=stored&timeout_ms=30000", &[], batch.to_string());
    let ((status, answer), _worker) = tokio::join!(asked, both_wait);
    let counts = [&answer["inserted"], &answer["duplicates"], &answer["dead_lettered"]];
    assert_eq!((status, counts), (200, [&json!(0), &json!(0), &json!(1)]), "{answer}");
    app.wait_until_stored().await;
    let (_, letters) = app.get("/admin/dead-letters").await;
    assert_eq!(letters["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_time_runs_out_the_answer_is_the_usual_one() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (status, answer) = app.post("/events?wait=stored&timeout_ms=50", &[], json!(events(0..2)).to_string()).await;
    assert_eq!((status, &answer["status"], &answer["events_count"]), (202, &json!("accepted"), &json!(2)), "{answer}");
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_times_are_refused() {
    let app = App::start().await;
    for (query, field) in [
        ("wait=forever", "wait"),
        ("wait=stored&timeout_ms=0", "timeout_ms"),
        ("wait=stored&timeout_ms=30001", "timeout_ms"),
        ("timeout_ms=abc", "timeout_ms"),
    ] {
        let (status, answer) = app.post(&format!("/events?{query}"), &[], json!(events(0..1)).to_string()).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!(field)), "{query}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_while_waiting_leave_nothing_behind() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let subscriptions = async || {
        let answer = app.http.get(format!("{}/subsz", app.nats.monitor_url())).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["num_subscriptions"].as_u64().unwrap()
    };
    // The API's own inbox is subscribed to with the first message.
    app.send(&json!(events(0..1))).await;
    let before = subscriptions().await;
    let requests: Vec<_> = (1..=20)
        .map(|n| {
            let url = format!("{}/events?wait=stored&timeout_ms=30000", app.url);
            let request = app.http.post(url).header("X-API-Key", rollcall_tests::KEY).json(&events(n..n + 1));
            tokio::spawn(request.timeout(Duration::from_secs(30)).send())
        })
        .collect();
    wait_until("all of them wait", async || (subscriptions().await >= before + 20).then_some(())).await;
    requests.iter().for_each(|request| request.abort());
    wait_until("no inbox is left", async || (subscriptions().await == before).then_some(())).await;
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 21, "what was durable is stored all the same");
}
