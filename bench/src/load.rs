//! Load: a number of clients, each of which sends its next request when it has the response to the previous
//! one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use uuid::Uuid;

use crate::client::{Connection, post};
use crate::measurements::Measurements;

/// The request that clients send.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// The offsets of the event ids, which are replaced for every request.
    ids: Vec<usize>,
}

/// The results of all clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Request {
    /// A request with the given number of events, each of a different user.
    pub(crate) fn new(events: u32) -> Self {
        let now = Timestamp::now();
        let event = |n: u32| {
            format!(
                r#"{{"event_id":"{}","occurred_at":"{now}","user_id":"user_{:06}","event_type":"page_view","session_id":"session_{n}","properties":{{"page":"/docs/start","device":"Firefox on Linux","referrer":"newsletter","duration_ms":{n}}}}}"#,
                Uuid::nil(),
                n * 17 + 1,
            )
        };
        let events: Vec<String> = (0..events).map(event).collect();
        let bytes = post("/events", format!("[{}]", events.join(",")).as_bytes());
        let nil = Uuid::nil().to_string();
        let ids = memchr::memmem::find_iter(&bytes, nil.as_bytes()).collect();
        Self { bytes, ids }
    }

    /// Replaces the ids, so that the events are new.
    fn renew(&mut self) {
        for place in &self.ids {
            Uuid::new_v4().hyphenated().encode_lower(&mut self.bytes[*place..]);
        }
    }
}

/// Runs the clients for the given time.
///
/// # Errors
/// If a connection breaks or a request is not answered with 202.
pub(crate) async fn run(address: SocketAddr, clients: usize, request: &Request, time: Duration) -> anyhow::Result<Seen> {
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(Connection::open(address).await?);
    }
    let started = Instant::now();
    let tasks: Vec<_> =
        connections.into_iter().map(|connection| tokio::spawn(send(connection, request.clone(), started + time))).collect();
    let mut latencies = Measurements::default();
    for task in tasks {
        for latency_ms in task.await?.with_context(|| format!("with {clients} clients"))? {
            latencies.push(latency_ms);
        }
    }
    let secs = started.elapsed().as_secs_f64();
    Ok(Seen { requests_per_second: latencies.len() as f64 / secs, p50_ms: latencies.median(), p99_ms: latencies.quantile(0.99) })
}

async fn send(mut connection: Connection, mut request: Request, end: Instant) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        request.renew();
        let started = Instant::now();
        connection.expect(202, &request.bytes).await?;
        latencies.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_gets_an_id_of_its_own() {
        let mut request = Request::new(3);
        let length = request.bytes.len();
        request.renew();
        assert_eq!((request.ids.len(), request.bytes.len()), (3, length));
        let text = String::from_utf8(request.bytes).unwrap();
        assert!(!text.contains(&Uuid::nil().to_string()));
    }
}
