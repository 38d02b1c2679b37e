//! Fairness: one of twenty projects has sent millions of events, which wait for four workers. Meanwhile, every
//! project sends single events, and one sends requests with thousands.
//!
//! Everything is measured once, in one run of a few minutes, because it yields thousands of values.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Bench;
use crate::batch::Batch;
use crate::client::{Connection, KEY, post, post_as};
use crate::database::Database;
use crate::measurements::Measurements;
use crate::number::grouped;
use crate::outcome::Outcome;
use crate::row::Row;
use crate::service::Service;

const WORKERS: usize = 4;
/// Projects besides the one with the many events.
const OTHER_PROJECTS: usize = 19;
/// The number of large requests of the project with the many events.
const LARGE_REQUESTS: u64 = 50;
/// The events of a large request divided by those of a request of thousands.
const LARGE_BY_MEDIUM: u64 = 20;
const USERS: u32 = 10_000;
/// Pause of a client between two events.
const PAUSE: Duration = Duration::from_millis(200);
const STORE_TIMEOUT: Duration = Duration::from_secs(1_200);
/// Within this time, 99 of 100 single events are stored.
const BOUND_MS: f64 = 3_000.0;

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let database = Database::create(&bench.stack.postgres, "fairness").await?;
    database.migrate().await?;
    let keys: Vec<String> = (0..OTHER_PROJECTS).map(|number| format!("fairness-key-{number}")).collect();
    for (number, key) in keys.iter().enumerate() {
        database.add_project(&format!("project-{number}"), key).await?;
    }
    let mut service = Service::start_without_workers(bench.stack.folder(), database).await?;
    let waiting = fill_queue(bench, &service).await?;
    let started = Instant::now();
    for _ in 0..WORKERS {
        service.add_worker().await?;
    }
    let stop = CancellationToken::new();
    let mut others = JoinSet::new();
    for key in &keys {
        others.spawn(send_singles(service.api_address, key.clone(), stop.clone()));
    }
    let importer = tokio::spawn(send_singles(service.api_address, KEY.to_owned(), stop.clone()));
    let medium_events = (bench.arguments.events / LARGE_BY_MEDIUM).max(1);
    let seed = bench.first_seed + LARGE_REQUESTS;
    let medium = tokio::spawn(send_mediums(service.api_address, keys[0].clone(), medium_events, seed, stop.clone()));
    // At the end, the queue holds only what is sent meanwhile.
    service.wait_until_queued(OTHER_PROJECTS as u64 + 1, STORE_TIMEOUT).await?;
    let drained_secs = started.elapsed().as_secs_f64();
    stop.cancel();
    let mut of_others = Measurements::default();
    while let Some(times) = others.join_next().await {
        times??.into_iter().for_each(|ms| of_others.push(ms));
    }
    let of_importer: Measurements = importer.await??.into_iter().collect();
    let of_mediums: Measurements = medium.await??.into_iter().collect();

    let while_waiting = format!("while {} of one project wait", grouped(waiting));
    let mut report = |row: Row, value: f64| {
        let mut row = row;
        row.ours.push(value);
        outcome.rows.push(row);
    };
    for (whose, times) in [("another project", &of_others), ("the same project", &of_importer)] {
        let name = format!("one event of {whose} {while_waiting}, request to stored");
        report(Row::lower(format!("{name}, p50"), "ms"), times.median());
        report(Row::lower(format!("{name}, p99"), "ms").bound(BOUND_MS), times.quantile(0.99));
    }
    let name = format!("{} events of another project {while_waiting}, request to stored, p50", grouped(medium_events));
    report(Row::lower(name, "ms"), of_mediums.median());
    report(Row::higher(format!("events stored by {WORKERS} workers meanwhile"), "events/s"), waiting as f64 / drained_secs);
    let (singles, mediums) = (of_others.len() + of_importer.len(), of_mediums.len());
    outcome.note(format!("Fairness was measured once, with {singles} single events and {mediums} requests of thousands."));
    Ok(())
}

/// Sends the many events of one project; returns their number.
async fn fill_queue(bench: &Bench, service: &Service) -> anyhow::Result<u64> {
    let mut api = Connection::open(service.api_address).await?;
    for request in 0..LARGE_REQUESTS {
        let (events, seed) = (bench.arguments.events, bench.first_seed + request);
        let batch = tokio::task::spawn_blocking(move || Batch::new(events, USERS, seed)).await??;
        api.expect(202, &post("/events", &batch.json)).await?;
    }
    Ok(LARGE_REQUESTS * bench.arguments.events)
}

/// Sends single events, each when the one before is stored; returns the milliseconds that each took.
async fn send_singles(address: SocketAddr, key: String, stop: CancellationToken) -> anyhow::Result<Vec<f64>> {
    let mut api = Connection::open(address).await?;
    let mut times = Vec::new();
    loop {
        let (id, now) = (Uuid::new_v4(), Timestamp::now());
        let body =
            format!(r#"{{"event_id":"{id}","occurred_at":"{now}","user_id":7,"event_type":"page_view","properties":{{}}}}"#);
        times.push(time_to_stored(&mut api, &key, body.as_bytes()).await?);
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return Ok(times);
        }
    }
}

/// Sends requests with thousands of events, each when the one before is stored; returns the milliseconds that each
/// took.
async fn send_mediums(
    address: SocketAddr,
    key: String,
    events: u64,
    first_seed: u64,
    stop: CancellationToken,
) -> anyhow::Result<Vec<f64>> {
    let mut api = Connection::open(address).await?;
    let mut times = Vec::new();
    for seed in first_seed.. {
        let batch = tokio::task::spawn_blocking(move || Batch::new(events, USERS, seed)).await??;
        times.push(time_to_stored(&mut api, &key, &batch.json).await?);
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            break;
        }
    }
    Ok(times)
}

/// Milliseconds until a request is answered because its events are stored.
async fn time_to_stored(api: &mut Connection, key: &str, body: &[u8]) -> anyhow::Result<f64> {
    let request = post_as(key, "/events?wait=stored&timeout_ms=30000", body);
    let started = Instant::now();
    api.expect(200, &request).await?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
