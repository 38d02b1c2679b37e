//! A client: sends batches as a good SDK does, and sometimes as a bad network does.
//!
//! It repeats a request until the service has promised to keep it. Only then are its events
//! acknowledged; whatever else happens, they may or may not be stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::PgPool;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, random_of};
use super::catalog::Catalog;
use super::check::Check;
use super::dead_letters::DeadLetters;
use super::failure::{Failure, Failures};
use super::ledger::Ledger;
use super::stored::is_stored;
use crate::KEY;

/// An impatient client meets a slow service more often than a patient one.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The longest pause between two tries, whatever `Retry-After` says: the run is short.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So long after the end a client tries to get its last batch acknowledged.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) http: reqwest::Client,
    /// The database, around the proxies.
    pub(crate) pool: PgPool,
    /// Ports of the APIs, behind their proxies.
    pub(crate) fronts: Vec<u16>,
    /// Of a hundred requests, how many wait until they are stored.
    pub(crate) waits_per_cent: u32,
}

/// How one try ended.
enum Reply {
    Acknowledged,
    /// Try again, after this long if the service said so.
    Again(Option<Duration>),
    /// No try will help.
    Refused,
}

/// Sends batch after batch until told to stop.
pub(crate) async fn run(sender: Arc<Sender>, number: u64, stop: CancellationToken) {
    let mut random = random_of(sender.catalog.seed, number);
    let mut history = VecDeque::new();
    while !stop.is_cancelled() {
        let batch = Batch::next(&sender.ledger, &mut history, &mut random);
        sender.ledger.sent(&batch.numbers);
        if random.random_bool(0.03) {
            sender.vanish(&batch, &mut random).await;
            // Half of them are never heard of again.
            if random.random_bool(0.5) {
                continue;
            }
        }
        if sender.deliver(&batch, &mut random, &stop).await {
            batch.remember(&mut history);
        }
        // A client has other things to do too, and the machine has other tests to run.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
}

impl Sender {
    /// Sends a batch until it is acknowledged; returns whether it was.
    pub(crate) async fn deliver(&self, batch: &Batch, random: &mut StdRng, stop: &CancellationToken) -> bool {
        let body = batch.body(&self.catalog);
        let waits = random.random_bool(f64::from(self.waits_per_cent) / 100.0);
        let mut stopped_at = None;
        for tries in 0.. {
            match self.attempt(batch, body.clone(), waits, random).await {
                Reply::Acknowledged => {
                    self.ledger.acknowledged(&batch.numbers);
                    return true;
                }
                Reply::Refused => return false,
                Reply::Again(wanted) => {
                    let backoff = Duration::from_millis(50 << u32::min(tries, 5)).mul_f64(random.random_range(0.5..1.0));
                    tokio::time::sleep(wanted.unwrap_or(backoff).min(LONGEST_PAUSE)).await;
                }
            }
            if stop.is_cancelled() && stopped_at.get_or_insert_with(Instant::now).elapsed() > FINISH_TIMEOUT {
                return false;
            }
        }
        false
    }

    async fn attempt(&self, batch: &Batch, body: Vec<u8>, waits: bool, random: &mut StdRng) -> Reply {
        let query = if waits { "?wait=stored&timeout_ms=2000" } else { "" };
        let url = format!("http://127.0.0.1:{}/events{query}", self.front(random));
        let request = self.http.post(url).header("X-API-Key", KEY).header("Content-Type", batch.content_type());
        let request = request.header("Content-Encoding", batch.encoding());
        let Ok(response) = request.timeout(TIMEOUT).body(body).send().await else {
            self.ledger.answer("none");
            return Reply::Again(None);
        };
        let status = response.status();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let answer = response.json::<Value>().await;
        match (status, answer) {
            (StatusCode::ACCEPTED | StatusCode::OK, Ok(answer)) => {
                self.ledger.answer(if status == StatusCode::OK { "200" } else { "202" });
                self.judge(batch, status, &answer);
                if status == StatusCode::OK {
                    self.look_up(batch, random).await;
                }
                Reply::Acknowledged
            }
            // The answer broke off: whatever it was to say, it is not known.
            (StatusCode::ACCEPTED | StatusCode::OK, Err(_)) => Reply::Again(None),
            (status, answer) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                self.count_refusal(status, answer.ok().as_ref());
                Reply::Again(retry_after.map(Duration::from_secs))
            }
            (status, answer) => {
                self.failures.add(Failure::new(Check::Answers, format!("{status} to a good batch: {answer:?}")));
                Reply::Refused
            }
        }
    }

    /// Holds an acknowledgement against the batch that it acknowledges.
    fn judge(&self, batch: &Batch, status: StatusCode, answer: &Value) {
        let sum: u64 = ["inserted", "duplicates", "dead_lettered"].iter().filter_map(|name| answer[name].as_u64()).sum();
        let events = batch.numbers.len() as u64;
        let is_right = match status {
            StatusCode::OK => answer["status"] == "stored" && sum == events,
            _ => answer["status"] == "accepted" && answer["events_count"] == events,
        };
        if !is_right {
            self.failures.add(Failure::new(Check::Answers, format!("{status} to {events} events: {answer}")));
        }
    }

    /// Looks for an event of a batch that is said to be stored; best for one that had to become a dead
    /// letter.
    async fn look_up(&self, batch: &Batch, random: &mut StdRng) {
        let poison = batch.numbers.iter().copied().find(|number| self.catalog.is_poison(*number));
        let number = poison.unwrap_or_else(|| batch.numbers[random.random_range(0..batch.numbers.len())]);
        let event = self.catalog.event(number);
        let is_there = match poison {
            None => is_stored(&self.pool, &self.catalog, number).await,
            Some(_) => DeadLetters { http: &self.http, front: self.front(random) }.has(&event.id).await,
        };
        if is_there == Some(false) {
            self.failures.add(Failure::new(Check::Stored, format!("{event} was not")));
        }
    }

    fn count_refusal(&self, status: StatusCode, answer: Option<&Value>) {
        self.ledger.answer(match status {
            StatusCode::TOO_MANY_REQUESTS => "429",
            StatusCode::SERVICE_UNAVAILABLE => "503",
            _ => "other 5xx",
        });
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            self.failures.add(Failure::new(Check::Answers, format!("{status}: {answer:?}")));
        }
    }

    /// Leaves in the middle of the request, or before the answer.
    async fn vanish(&self, batch: &Batch, random: &mut StdRng) {
        self.ledger.answer("not waited for");
        let body = batch.body(&self.catalog);
        let head = format!(
            "POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\nContent-Type: {}\r\nContent-Encoding: {}\r\nContent-Length: {}\r\n\r\n",
            batch.content_type(),
            batch.encoding(),
            body.len()
        );
        let sent = if random.random_bool(0.5) { &body[..body.len() / 2] } else { &body[..] };
        let leaves_after = Duration::from_millis(random.random_range(0..100));
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.front(random))).await else { return };
        let written = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(sent).await
        };
        if let Ok(Ok(())) = tokio::time::timeout(TIMEOUT, written).await {
            tokio::time::sleep(leaves_after).await;
        }
    }

    fn front(&self, random: &mut StdRng) -> u16 {
        self.fronts[random.random_range(0..self.fronts.len())]
    }
}
