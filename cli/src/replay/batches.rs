//! Requests: the events of one row group, cut into batches.
//!
//! An event that was sent without a time got the time of its batch, in whole milliseconds. The API takes that time from an
//! `Idempotency-Key` of the form in which it names batches that are to be sent again. So undated events travel in
//! batches of one time each, with such a key and without a time, and stay what they were.

use std::collections::BTreeMap;

use rollcall_archive::Row;

use super::lines;
use crate::send::Batch;

/// Events of one request.
const MAX_EVENTS: usize = 5_000;
/// A request is also full with so many bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Lines of one request that is not sent yet.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    events: usize,
}

/// Events that are gathered into requests.
#[derive(Default)]
pub(super) struct Batches {
    dated: Lines,
    /// By the millisecond of their batch.
    undated: BTreeMap<i64, Lines>,
}

/// A request, and how many events it has.
pub(super) struct Full {
    pub(super) batch: Batch,
    pub(super) events: usize,
}

impl Batches {
    /// Adds an event; returns a request if it is full with it.
    pub(super) fn add(&mut self, row: &Row<'_>) -> anyhow::Result<Option<Full>> {
        let time = row.undated.then(|| row.occurred_at_us.div_euclid(1_000));
        let gathered = match time {
            None => &mut self.dated,
            Some(ms) => self.undated.entry(ms).or_default(),
        };
        lines::append(row, &mut gathered.bytes)?;
        gathered.events += 1;
        let is_full = gathered.events >= MAX_EVENTS || gathered.bytes.len() >= MAX_BYTES;
        Ok(is_full.then(|| full(std::mem::take(gathered), time)))
    }

    /// The requests that are not full.
    pub(super) fn rest(self) -> impl Iterator<Item = Full> {
        let undated = self.undated.into_iter().map(|(ms, lines)| (lines, Some(ms)));
        std::iter::once((self.dated, None))
            .chain(undated)
            .filter(|(lines, _)| lines.events > 0)
            .map(|(lines, ms)| full(lines, ms))
    }
}

fn full(lines: Lines, ms: Option<i64>) -> Full {
    let batch =
        Batch { number: 0, lines: lines.bytes, idempotency_key: ms.map(key_of_time), partial: false, file_lines: Vec::new() };
    Full { batch, events: lines.events }
}

/// The key that names a batch of this time.
fn key_of_time(ms: i64) -> String {
    format!("resend-{}", uuid::Builder::from_unix_timestamp_millis(ms.unsigned_abs(), &[0; 10]).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event_id: &str, occurred_at_us: i64, undated: bool) -> Row<'_> {
        Row {
            event_id,
            event_type: "t",
            user_id: Some("u"),
            anonymous_id: None,
            session_id: None,
            account_id: None,
            occurred_at_us,
            received_at_us: 0,
            undated,
            properties: "{}",
        }
    }

    #[test]
    fn undated_events_travel_with_those_of_their_time() {
        let mut batches = Batches::default();
        for (id, us, undated) in [("a", 5_000, true), ("b", 7_000, true), ("c", 5_000, false), ("d", 5_000, true)] {
            assert!(batches.add(&row(id, us, undated)).unwrap().is_none());
        }
        let rest: Vec<_> = batches.rest().map(|full| (full.events, full.batch.idempotency_key)).collect();
        let key = |ms: &str| Some(format!("resend-00000000-{ms}-7000-8000-000000000000"));
        assert_eq!(rest, [(1, None), (2, key("0005")), (1, key("0007"))]);
    }

    #[test]
    fn a_request_is_full_by_events_or_by_bytes() {
        let mut batches = Batches::default();
        let full = (0..).find_map(|_| batches.add(&row("a", 0, false)).unwrap()).unwrap();
        assert_eq!(full.events, MAX_EVENTS);
        let properties = format!("{{\"x\":\"{}\"}}", "x".repeat(60_000));
        let full = (0..).find_map(|_| batches.add(&Row { properties: &properties, ..row("a", 0, true) }).unwrap()).unwrap();
        assert_eq!(full.events, 70);
        assert_eq!(batches.rest().count(), 0);
    }
}
