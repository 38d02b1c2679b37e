//! Four workers in processes of their own, eight clients, overlapping batches.

use jiff::ToSpan;
use jiff::civil::date;
use rollcall_tests::{App, AppOptions, Fact, Model, postgres_log};
use serde_json::{Value, json};

const WORKERS: usize = 4;
const CLIENTS: u64 = 8;
const EVENTS: u64 = 12_000;

/// Event `n` is the same whoever sends it, but for its place in the batch.
fn event(n: u64) -> (Value, Fact) {
    let day = date(2025, 9, 1).saturating_add(i64::try_from(n * 31 % 40).unwrap().days());
    let (id, actor, event_type) = (format!("evt_{n}"), format!("user_{}", n * 7919 % 997), format!("type_{}", n % 13));
    let sent = json!({"event_id": id, "user_id": actor, "event_type": event_type, "occurred_at": format!("{day}T12:00:00Z")});
    (sent, Fact { identity: (id, Some(day)), actor, event_type, day })
}

/// Sends two thirds of all events, in an order of the client's own, in batches of different sizes.
async fn client(app: &App, number: u64) {
    let first = number * EVENTS / CLIENTS;
    let mut order: Vec<u64> = (0..EVENTS * 2 / 3).map(|step| (first + step * 7) % EVENTS).collect();
    while !order.is_empty() {
        let size = (50 + number as usize * 131).min(order.len());
        let batch: Vec<_> = order.drain(..size).map(|n| event(n).0).collect();
        app.send(&json!(batch)).await;
    }
}

async fn metric(app: &App, worker_url: &str, name: &str) -> u64 {
    let text = app.http.get(format!("{worker_url}/metrics")).send().await.unwrap().text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_and_eight_clients_count_every_event_once() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let mut workers: Vec<_> = (0..WORKERS).map(|_| app.process("worker")).collect();
    workers.iter_mut().for_each(|(worker, _)| worker.start());
    futures::future::join_all((0..CLIENTS).map(|number| client(&app, number))).await;
    app.wait_until_stored().await;

    let mut model = Model::default();
    (0..EVENTS).for_each(|n| model.add(event(n).1));
    let (from, to) = (date(2025, 9, 1), date(2025, 10, 31));
    for granularity in ["day", "week", "month"] {
        let answer = app.ask(&format!("/stats/dau?from={from}&to={to}&granularity={granularity}")).await;
        assert_eq!(answer, model.dau(from, to, granularity, None));
    }
    assert_eq!(app.ask(&format!("/stats/top-events?from={from}&to={to}&limit=100")).await, model.top_events(from, to));
    let retention = app.ask(&format!("/stats/retention?start_date={from}&cohorts=3&windows=3&cohort=new")).await;
    assert_eq!(retention, model.retention(from, "week", 3, 3, true, [None, None]));
    assert_eq!(app.stored().await, i64::try_from(EVENTS).unwrap());

    // Acknowledgements follow commits, so the counters are complete once the queue is empty.
    let (mut stored, mut duplicates) = (0, 0);
    for (_, worker) in &workers {
        stored += metric(&app, worker, "rollcall_events_stored_total ").await;
        duplicates += metric(&app, worker, "rollcall_events_duplicate_total ").await;
    }
    assert_eq!(stored, EVENTS);
    assert_eq!(stored + duplicates, CLIENTS * (EVENTS * 2 / 3));
    let log = std::fs::read_to_string(postgres_log().await).unwrap();
    assert!(!log.contains("deadlock detected"), "PostgreSQL met a deadlock");
    app.wait_until_compacted().await;
    assert_eq!(app.ask(&format!("/stats/top-events?from={from}&to={to}&limit=100")).await, model.top_events(from, to));
}
