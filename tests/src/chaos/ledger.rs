//! The ledger: which events were sent, and which of them the service has promised to keep.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// What the clients know of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nobody has sent it yet.
    Unsent,
    /// Sent and never acknowledged: it may be stored, at most once.
    Maybe,
    /// Acknowledged: it must be stored exactly once.
    Acknowledged,
}

/// What the clients know of all events, and what answers they got.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    standings: Mutex<Vec<Standing>>,
    answers: Mutex<BTreeMap<&'static str, u64>>,
}

impl Ledger {
    /// Numbers that nobody has used.
    pub(crate) fn take_numbers(&self, count: usize) -> Range<u64> {
        let mut standings = self.standings.lock().expect("no panic");
        let first = standings.len() as u64;
        standings.extend(std::iter::repeat_n(Standing::Unsent, count));
        first..first + count as u64
    }

    /// How many numbers were taken.
    pub(crate) fn len(&self) -> u64 {
        self.standings.lock().expect("no panic").len() as u64
    }

    /// Notes that these events are on their way; called before the first byte leaves.
    pub(crate) fn sent(&self, numbers: &[u64]) {
        self.raise(numbers, Standing::Maybe);
    }

    /// Notes that the service has promised to keep these events.
    pub(crate) fn acknowledged(&self, numbers: &[u64]) {
        self.raise(numbers, Standing::Acknowledged);
    }

    /// Counts one answer, or the lack of one.
    pub(crate) fn answer(&self, kind: &'static str) {
        *self.answers.lock().expect("no panic").entry(kind).or_default() += 1;
    }

    /// Answers by kind.
    pub(crate) fn answers(&self) -> BTreeMap<&'static str, u64> {
        self.answers.lock().expect("no panic").clone()
    }

    /// How many requests were answered or given up.
    pub(crate) fn requests(&self) -> u64 {
        self.answers.lock().expect("no panic").values().sum()
    }

    /// Every event's standing, by number.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.standings.lock().expect("no panic").clone()
    }

    fn raise(&self, numbers: &[u64], to: Standing) {
        let mut standings = self.standings.lock().expect("no panic");
        for number in numbers {
            let standing = &mut standings[usize::try_from(*number).expect("a number that was taken")];
            *standing = to.max(*standing);
        }
    }
}
