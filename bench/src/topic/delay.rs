//! Delay: the time from the 202 until one event is stored, on an idle service.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use crate::Bench;
use crate::client::{Connection, post};
use crate::measurements::Measurements;
use crate::outcome::Outcome;
use crate::row::Row;
use crate::service::Service;
use crate::wait::wait_until;

/// Number of events in one repetition. All repetitions together have enough for a 99th percentile.
const EVENTS: u32 = 100;
const BOUND_MS: f64 = 50.0;
/// Interval between two queries of the table. It limits the error of each value.
const POLL_INTERVAL: Duration = Duration::from_micros(500);
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns a row if an event is stored. The condition on the day limits the search to one partition.
const IS_STORED: &str = "select 1 from event_ids where project_id = 1 and event_id = $1 and day = $2::date";

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let service = &bench.full().service;
    service.quiet().await?;
    let at = bench.full().name();
    let mut accepted = Row::lower(format!("one event, idle, request to 202, p50, {at}"), "ms");
    let mut stored = Row::lower(format!("one event, idle, 202 to stored, p50, {at}"), "ms");
    let mut stored_p99 = Row::lower(format!("one event, idle, 202 to stored, p99, {at}"), "ms").bound(BOUND_MS);
    let mut waited = Row::lower(format!("one event, idle, ?wait=stored to 200, p50, {at}"), "ms");
    let mut waited_p99 = Row::lower(format!("one event, idle, ?wait=stored to 200, p99, {at}"), "ms");
    // The first event only warms up caches and connections.
    one(service).await?;
    for _ in 0..bench.reps() {
        let (mut to_202, mut to_stored, mut to_200) = (Measurements::default(), Measurements::default(), Measurements::default());
        for _ in 0..EVENTS {
            let (accepted_ms, stored_ms) = one(service).await?;
            to_202.push(accepted_ms);
            to_stored.push(stored_ms);
            to_200.push(one_awaited(service).await?);
        }
        accepted.ours.push(to_202.median());
        stored.ours.push(to_stored.median());
        stored_p99.ours.push(to_stored.quantile(0.99));
        waited.ours.push(to_200.median());
        waited_p99.ours.push(to_200.quantile(0.99));
    }
    outcome.rows.extend([accepted, stored, stored_p99, waited, waited_p99]);
    Ok(())
}

/// Milliseconds from the request to the 202, and from the 202 until the row is visible.
async fn one(service: &Service) -> anyhow::Result<(f64, f64)> {
    let (id, now) = (Uuid::new_v4(), Timestamp::now());
    let day = now.strftime("%F").to_string();
    let request = post("/events", body(id, now).as_bytes());
    let mut api = Connection::open(service.api_address).await?;
    let started = Instant::now();
    api.expect(202, &request).await?;
    let accepted = Instant::now();
    wait_until("storing one event", STORE_TIMEOUT, POLL_INTERVAL, async || {
        let found: Option<i32> = sqlx::query_scalar(IS_STORED).bind(id).bind(&day).fetch_optional(&service.database.pool).await?;
        Ok(found.map(|_| ()))
    })
    .await?;
    let stored_ms = accepted.elapsed().as_secs_f64() * 1e3;
    Ok(((accepted - started).as_secs_f64() * 1e3, stored_ms))
}

/// Milliseconds until a request with `?wait=stored` is answered.
async fn one_awaited(service: &Service) -> anyhow::Result<f64> {
    let request = post("/events?wait=stored", body(Uuid::new_v4(), Timestamp::now()).as_bytes());
    let mut api = Connection::open(service.api_address).await?;
    let started = Instant::now();
    api.expect(200, &request).await?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

fn body(id: Uuid, now: Timestamp) -> String {
    format!(r#"{{"event_id":"{id}","occurred_at":"{now}","user_id":7,"event_type":"page_view","properties":{{"page":"/home"}}}}"#)
}
