//! The schedule: what happens to the service, and when.
//!
//! It follows from the seed, the duration and the kinds of fault alone, so that a run which failed
//! can be had again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::fault::{Fault, FaultKind};

/// In runs of at least this length, outages may last [`OUTAGE_MS`]: longer than any stop may take.
const LONG_RUN: Duration = Duration::from_secs(60);
/// How long a long outage lasts, in milliseconds.
const OUTAGE_MS: std::ops::Range<u64> = 11_000..14_000;

/// One or two faults that happen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    /// When it begins, after the run does. It begins later if the round before took longer.
    pub(crate) at: Duration,
    pub(crate) faults: Vec<Fault>,
}

/// The rounds of a run, in order. Every kind comes once before any comes again.
pub(crate) fn schedule(seed: u64, duration: Duration, kinds: &[FaultKind]) -> Vec<Round> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut deck = Vec::new();
    let mut rounds = Vec::new();
    let is_long = duration >= LONG_RUN;
    let mut at = Duration::from_millis(random.random_range(500..1_500));
    while at < duration && !kinds.is_empty() {
        let mut faults = vec![fault(deal(&mut deck, kinds, &mut random), duration, &mut random)];
        if random.random_bool(0.3) {
            faults.extend(companion(&faults[0], &mut deck, duration, &mut random));
        }
        let longest = faults.iter().map(|fault| fault.after + fault.total()).max().unwrap_or_default();
        rounds.push(Round { at, faults });
        at += longest + Duration::from_millis(random.random_range(if is_long { 1_000..5_000 } else { 500..1_500 }));
    }
    rounds
}

/// The next kind of the shuffled deck.
fn deal(deck: &mut Vec<FaultKind>, kinds: &[FaultKind], random: &mut StdRng) -> FaultKind {
    if deck.is_empty() {
        deck.extend(kinds);
        deck.shuffle(random);
    }
    deck.pop().unwrap_or(kinds[0])
}

/// Another fault that can happen at the same time, if the deck has one.
fn companion(first: &Fault, deck: &mut Vec<FaultKind>, duration: Duration, random: &mut StdRng) -> Option<Fault> {
    let place = deck.iter().rposition(|kind| !kind.area().conflicts_with(first.kind.area()))?;
    let fault = fault(deck.remove(place), duration, random);
    let after = first.lasts.mul_f64(random.random_range(0.0..1.0));
    Some(Fault { after, ..fault })
}

fn fault(kind: FaultKind, duration: Duration, random: &mut StdRng) -> Fault {
    let (shortest, longest) = kind.bounds_ms();
    let lasts_ms = random.random_range(shortest..=longest);
    let is_outage = kind.is_outage() && random.random_bool(0.15) && duration >= LONG_RUN;
    let lasts_ms = if is_outage { random.random_range(OUTAGE_MS) } else { lasts_ms };
    // A short run shall see more than one fault, each for as long as it must last to be one.
    let longest_here = (duration / 5).max(Duration::from_secs(1)).max(Duration::from_millis(shortest));
    let lasts = Duration::from_millis(lasts_ms).min(longest_here);
    Fault { kind, after: Duration::ZERO, lasts, draw: random.random_range(0..usize::MAX) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::VariantArray as _;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_seed_gives_one_schedule() {
        assert_eq!(schedule(7, MINUTE, FaultKind::VARIANTS), schedule(7, MINUTE, FaultKind::VARIANTS));
        assert_ne!(schedule(7, MINUTE, FaultKind::VARIANTS), schedule(8, MINUTE, FaultKind::VARIANTS));
    }

    #[test]
    fn every_kind_comes_over_some_seeds() {
        // A run of a minute holds about ten faults.
        let rounds = (0..12).flat_map(|seed| schedule(seed, MINUTE, FaultKind::VARIANTS));
        let seen: BTreeSet<_> = rounds.flat_map(|round| round.faults).map(|fault| fault.kind).collect();
        assert_eq!(seen.len(), FaultKind::VARIANTS.len(), "{seen:?}");
    }

    #[test]
    fn faults_of_one_round_do_not_work_on_the_same() {
        for seed in 0..200 {
            for round in schedule(seed, 10 * MINUTE, FaultKind::VARIANTS) {
                if let [first, second] = round.faults[..] {
                    assert!(!first.kind.area().conflicts_with(second.kind.area()), "{first:?} {second:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_kinds_that_are_wanted_come() {
        let rounds = schedule(3, MINUTE, &[FaultKind::Cut]);
        assert!(!rounds.is_empty() && rounds.iter().all(|round| round.faults.iter().all(|fault| fault.kind == FaultKind::Cut)));
    }
}
