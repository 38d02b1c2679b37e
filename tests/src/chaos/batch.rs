//! What a client sends in one request: new events, others' events again, and repeats.

use std::collections::VecDeque;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::catalog::Catalog;
use super::ledger::Ledger;

/// Batches that a client remembers, to send them again.
const REMEMBERED: usize = 20;
/// Events of other clients are taken from this many of the latest.
const OVERLAP: u64 = 5_000;
/// Events of the largest batch.
const MAX_EVENTS: usize = 500;

/// The shape of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Array,
    Lines,
}

/// One request's events.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) numbers: Vec<u64>,
    pub(crate) shape: Shape,
    /// By gzip.
    pub(crate) is_compressed: bool,
}

impl Batch {
    /// The next batch of a client: mostly new events, sometimes one of its own again.
    pub(crate) fn next(ledger: &Ledger, history: &mut VecDeque<Self>, random: &mut StdRng) -> Self {
        if !history.is_empty() && random.random_bool(0.08) {
            return history[random.random_range(0..history.len())].clone();
        }
        // As many small requests as large ones.
        let largest = [1, 10, 100, MAX_EVENTS][random.random_range(0..4)];
        let mut numbers: Vec<u64> = ledger.take_numbers(random.random_range(1..=largest)).collect();
        if random.random_bool(0.15) {
            let end = ledger.len();
            let others = random.random_range(1..=numbers.len().min(50));
            numbers.extend((0..others).map(|_| random.random_range(end.saturating_sub(OVERLAP)..end)));
        }
        if random.random_bool(0.1) {
            let repeats = random.random_range(1..=numbers.len().min(20));
            numbers.extend_from_within(..repeats);
        }
        let shape = if random.random_bool(0.5) { Shape::Array } else { Shape::Lines };
        Self { numbers, shape, is_compressed: random.random_bool(0.3) }
    }

    /// Keeps the batch for sending it again later.
    pub(crate) fn remember(self, history: &mut VecDeque<Self>) {
        history.push_back(self);
        if history.len() > REMEMBERED {
            history.pop_front();
        }
    }

    /// The body, the same every time.
    pub(crate) fn body(&self, catalog: &Catalog) -> Vec<u8> {
        let events: Vec<String> = self.numbers.iter().map(|number| catalog.wire(*number).to_string()).collect();
        let text = match self.shape {
            Shape::Array => format!("[{}]", events.join(",")),
            Shape::Lines => events.join("\n"),
        };
        if !self.is_compressed {
            return text.into_bytes();
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish()).expect("memory takes everything")
    }

    /// The content encoding of the body.
    pub(crate) fn encoding(&self) -> &'static str {
        if self.is_compressed { "gzip" } else { "identity" }
    }

    /// The content type of the body.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.shape {
            Shape::Array => "application/json",
            Shape::Lines => "application/x-ndjson",
        }
    }
}

/// A generator of a client's own, so that clients do not depend on each other.
pub(crate) fn random_of(seed: u64, client: u64) -> StdRng {
    use rand::SeedableRng;
    // The schedule takes the seed itself.
    let mut random = StdRng::seed_from_u64(seed ^ 0x636c_6965_6e74 ^ (client << 48));
    random.next_u64();
    random
}
