//! Live: the time from the request until readers of `/live` have its event, on an idle service. Readers may have it before
//! the client has the 202.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Bench;
use crate::client::{Connection, get, post};
use crate::measurements::Measurements;
use crate::outcome::Outcome;
use crate::row::Row;

/// Numbers of readers.
const READERS: [usize; 2] = [1, 1_000];
/// The limits of an API that takes as many readers.
const LIMITS: [(&str, &str); 4] = [
    ("API_MAX_CONNECTIONS", "4096"),
    ("LIVE_MAX_READERS", "1000"),
    ("LIVE_MAX_READERS_PER_KEY", "1000"),
    ("LIVE_MAX_READERS_PER_PROJECT", "1000"),
];
/// Number of events in one repetition.
const EVENTS: usize = 100;
const BOUND_MS: f64 = 100.0;
/// What each event has once in the stream.
const FRAME: &[u8] = b"event: event\n";
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let service = &bench.full().service;
    service.quiet().await?;
    let (_api, address) = service.further_api(&LIMITS).await?;
    for readers in READERS {
        let name = if readers == 1 { "1 reader".to_owned() } else { format!("{readers} readers") };
        let mut p50 = Row::lower(format!("/live, idle, request to {name}, p50"), "ms");
        let mut p99 = Row::lower(format!("/live, idle, request to {name}, p99"), "ms").bound(BOUND_MS);
        let mut audience = Audience::connect(address, readers).await?;
        let mut sender = Connection::open(address).await?;
        // The first event only warms up the connections.
        audience.send(&mut sender).await?;
        for _ in 0..bench.reps() {
            let mut delays = Measurements::default();
            for _ in 0..EVENTS {
                audience.send(&mut sender).await?.into_iter().for_each(|delay_ms| delays.push(delay_ms));
            }
            p50.ours.push(delays.median());
            p99.ours.push(delays.quantile(0.99));
        }
        outcome.rows.extend([p50, p99]);
    }
    Ok(())
}

/// Connected readers. They end when this is dropped.
struct Audience {
    readers: usize,
    arrivals: mpsc::UnboundedReceiver<Instant>,
    _tasks: JoinSet<()>,
}

impl Audience {
    async fn connect(address: SocketAddr, readers: usize) -> anyhow::Result<Self> {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for _ in 0..readers {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&get("/live")).await?;
            let mut head = Vec::new();
            while memmem::find(&head, b"\r\n\r\n").is_none() {
                ensure!(stream.read_buf(&mut head).await? > 0, "the API closed the connection of a reader");
            }
            ensure!(head.starts_with(b"HTTP/1.1 200"), "a reader was refused: {}", String::from_utf8_lossy(&head));
            tasks.spawn(read(stream, arrived.clone()));
        }
        Ok(Self { readers, arrivals, _tasks: tasks })
    }

    /// Sends an event and waits until all readers have it. Returns the milliseconds from the request to each.
    async fn send(&mut self, sender: &mut Connection) -> anyhow::Result<Vec<f64>> {
        let (id, now) = (Uuid::new_v4(), Timestamp::now());
        let event = format!(r#"{{"event_id":"{id}","occurred_at":"{now}","user_id":7,"event_type":"page_view"}}"#);
        let request = post("/events", event.as_bytes());
        let started = Instant::now();
        sender.expect(202, &request).await?;
        let mut delays = Vec::with_capacity(self.readers);
        while delays.len() < self.readers {
            let arrival = tokio::time::timeout(ARRIVAL_TIMEOUT, self.arrivals.recv()).await;
            let arrival = arrival.with_context(|| format!("only {} readers got the event", delays.len()))?;
            let arrival = arrival.context("a reader was disconnected")?;
            delays.push(arrival.saturating_duration_since(started).as_secs_f64() * 1e3);
        }
        Ok(delays)
    }
}

/// Reports when each event arrives.
async fn read(mut stream: TcpStream, arrived: mpsc::UnboundedSender<Instant>) {
    let mut received = Vec::new();
    while stream.read_buf(&mut received).await.is_ok_and(|bytes| bytes > 0) {
        while let Some(place) = memmem::find(&received, FRAME) {
            received.drain(..place + FRAME.len());
            if arrived.send(Instant::now()).is_err() {
                return;
            }
        }
        // The end may be the beginning of a frame.
        received.drain(..received.len().saturating_sub(FRAME.len()));
    }
}
