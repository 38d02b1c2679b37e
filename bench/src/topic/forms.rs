//! Forms: the same number of events in one request as JSON, gzip and NDJSON, and in many requests, until they are durable.
//!
//! The forms take turns, and each sends events of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::try_join_all;
use serde_json::value::RawValue;

use crate::Bench;
use crate::batch::Batch;
use crate::client::{Connection, post, post_with};
use crate::number::grouped;
use crate::outcome::Outcome;
use crate::row::Row;

const USERS: u32 = 50_000;
/// Requests among which the events are divided.
const REQUESTS: usize = 100;
/// Clients that share these requests, each with one at a time.
const CLIENTS: usize = 8;
/// The longest time that a form may take, in times of the JSON request.
const MOST_TIMES: f64 = 1.2;
/// Seeds far from those of other topics.
const SEED: u64 = 2_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Gzip,
    Ndjson,
    Many,
}

const FORMS: [Form; 4] = [Form::Json, Form::Gzip, Form::Ndjson, Form::Many];

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let service = &bench.empty().service;
    let events = bench.arguments.events;
    let row = |form: String| {
        Row::lower(format!("{} events {form}, to 202", grouped(events)), "s")
            .against("the same in one request as JSON", Some(1.0 / MOST_TIMES))
    };
    let requests = format!("in {REQUESTS} requests of {CLIENTS} clients");
    let mut rows = [row("in one request as gzip".to_owned()), row("in one request as NDJSON".to_owned()), row(requests)];
    let mut order = FORMS;
    let mut seed = bench.first_seed + SEED;
    for rep in 0..=bench.reps() {
        for form in order {
            seed += 1;
            let clients = requests_of(form, &Batch::new(events, USERS, seed)?)?;
            let secs = send(service.api_address, &clients).await?;
            service.quiet().await?;
            // The first round only warms up.
            if rep == 0 {
                continue;
            }
            match form {
                Form::Json => rows.iter_mut().for_each(|row| row.yardsticks[0].measurements.push(secs)),
                Form::Gzip => rows[0].ours.push(secs),
                Form::Ndjson => rows[1].ours.push(secs),
                Form::Many => rows[2].ours.push(secs),
            }
        }
        order.rotate_left(1);
    }
    outcome.rows.extend(rows);
    Ok(())
}

/// The requests of each client.
fn requests_of(form: Form, batch: &Batch) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let one = |request| vec![vec![request]];
    Ok(match form {
        Form::Json => one(post("/events", &batch.json)),
        Form::Gzip => one(post_with("Content-Type: application/json\r\nContent-Encoding: gzip", "/events", &gzip(&batch.json)?)),
        Form::Ndjson => {
            let lines = events(batch)?.iter().map(|event| event.get()).collect::<Vec<_>>().join("\n");
            one(post_with("Content-Type: application/x-ndjson", "/events", lines.as_bytes()))
        }
        Form::Many => {
            let events = events(batch)?;
            let mut clients = vec![Vec::new(); CLIENTS];
            for (number, events) in events.chunks(events.len().div_ceil(REQUESTS)).enumerate() {
                clients[number % CLIENTS].push(post("/events", &serde_json::to_vec(events)?));
            }
            clients
        }
    })
}

fn events(batch: &Batch) -> anyhow::Result<Vec<&RawValue>> {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    Ok(serde_json::from_slice::<Envelope<'_>>(&batch.json)?.events)
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Sends the requests of all clients at the same time; returns the seconds until all are answered.
async fn send(address: SocketAddr, clients: &[Vec<Vec<u8>>]) -> anyhow::Result<f64> {
    let connections = try_join_all(clients.iter().map(|_| Connection::open(address))).await?;
    let started = Instant::now();
    try_join_all(connections.into_iter().zip(clients).map(async |(mut connection, requests)| {
        for request in requests {
            connection.expect(202, request).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(started.elapsed().as_secs_f64())
}
