//! Chains: how far a person gets through the steps of a funnel.
//!
//! A chain consists of one event for each step, one after the other, all within a time after the first. From
//! one entry, the algorithm always takes the earliest event that can be the next step: no other choice
//! reaches more steps or has earlier events. The next steps of a later entry are never earlier, so the
//! algorithm reads each list of events once for each step, however many entries there are.

use std::ops::Range;

/// Most steps of a funnel.
pub(super) const MAX_STEPS: usize = 10;

/// An event of one of the steps. Events are ordered by these fields in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Occurrence {
    /// The person.
    pub(super) user: u32,
    /// Microseconds since 1970.
    pub(super) at_us: i64,
    /// The event id as bytes, which need no alignment.
    pub(super) id: [u8; 16],
    /// The index of the event type among those of the steps.
    pub(super) kind: u8,
    /// The value of the breakdown; 0 without a breakdown, and for events that are not an entry.
    pub(super) value: Value,
}

/// The number of a value, in three bytes, so that an event takes 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Value([u8; 3]);

impl Value {
    /// All numbers of values are lower than this.
    pub(super) const END: usize = 1 << 24;

    pub(super) fn new(number: usize) -> Self {
        let [_, bytes @ ..] = u32::try_from(number).unwrap_or(0).to_be_bytes();
        Self(bytes)
    }

    pub(super) fn number(self) -> usize {
        let [first, second, third] = self.0;
        u32::from_be_bytes([0, first, second, third]) as usize
    }
}

/// The rules for chains.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// For each step, the index of its event type among the different ones.
    pub(super) steps: Vec<u8>,
    /// The ranges of time in which an entry may happen, in microseconds since 1970.
    pub(super) entries_us: Vec<Range<i64>>,
    pub(super) within_us: i64,
}

/// The chain of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) value: Value,
    /// The number of its steps, at least one.
    pub(super) depth: usize,
    /// The time of each step.
    at_us: [i64; MAX_STEPS],
}

/// Finds chains. It reuses its buffers from one person to the next.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    rules: &'a Rules,
    /// For each event type, the indexes of its events in the history.
    places: Vec<Vec<usize>>,
}

impl Chain {
    fn entered(entry: &Occurrence) -> Self {
        let mut at_us = [0; MAX_STEPS];
        at_us[0] = entry.at_us;
        Self { value: entry.value, depth: 1, at_us }
    }

    fn push(&mut self, at_us: i64) {
        self.at_us[self.depth] = at_us;
        self.depth += 1;
    }

    /// The time between a step and the previous one in microseconds.
    pub(super) fn gap_us(&self, step: usize) -> i64 {
        self.at_us[step] - self.at_us[step - 1]
    }
}

impl<'a> Finder<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        let kinds = rules.steps.iter().max().map_or(0, |last| usize::from(*last) + 1);
        Self { rules, places: vec![Vec::new(); kinds] }
    }

    /// The deepest chain in the history of one person, whose events must be sorted; the earliest of equally
    /// deep chains. `None` if the person does not enter.
    pub(super) fn deepest(&mut self, history: &[Occurrence]) -> Option<Chain> {
        self.places.iter_mut().for_each(Vec::clear);
        for (place, occurrence) in history.iter().enumerate() {
            self.places[usize::from(occurrence.kind)].push(place);
        }
        let mut cursors = [0; MAX_STEPS];
        let mut deepest: Option<Chain> = None;
        for &entry in &self.places[usize::from(self.rules.steps[0])] {
            if !self.rules.entries_us.iter().any(|range| range.contains(&history[entry].at_us)) {
                continue;
            }
            let chain = self.follow(history, entry, &mut cursors);
            if deepest.is_none_or(|deepest| chain.depth > deepest.depth) {
                deepest = Some(chain);
            }
            if chain.depth == self.rules.steps.len() {
                break;
            }
        }
        deepest
    }

    /// The chain that begins with an entry. Each step has a cursor in the events of its type, which only
    /// moves forward from one entry to the next.
    fn follow(&self, history: &[Occurrence], entry: usize, cursors: &mut [usize; MAX_STEPS]) -> Chain {
        let mut chain = Chain::entered(&history[entry]);
        let mut last = entry;
        for (step, kind) in self.rules.steps.iter().enumerate().skip(1) {
            let places = &self.places[usize::from(*kind)];
            let cursor = &mut cursors[step];
            while places.get(*cursor).is_some_and(|place| *place <= last) {
                *cursor += 1;
            }
            let Some(&place) = places.get(*cursor) else { break };
            if history[place].at_us - history[entry].at_us > self.rules.within_us {
                break;
            }
            chain.push(history[place].at_us);
            last = place;
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use proptest::prelude::{Strategy, prop};
    use proptest::proptest;

    use super::*;

    /// Tries every chain of every entry.
    fn naive(rules: &Rules, history: &[Occurrence]) -> Option<(usize, Vec<usize>)> {
        fn extend(rules: &Rules, history: &[Occurrence], chain: &[usize], best: &mut Option<Vec<usize>>) {
            if best.as_ref().is_none_or(|best| chain.len() > best.len() || chain.len() == best.len() && chain < best.as_slice()) {
                *best = Some(chain.to_vec());
            }
            let Some(kind) = rules.steps.get(chain.len()) else { return };
            for next in chain[chain.len() - 1] + 1..history.len() {
                if history[next].kind == *kind && history[next].at_us - history[chain[0]].at_us <= rules.within_us {
                    extend(rules, history, &[chain, &[next]].concat(), best);
                }
            }
        }
        let mut best = None;
        for (entry, occurrence) in history.iter().enumerate() {
            if occurrence.kind == rules.steps[0] && rules.entries_us.iter().any(|range| range.contains(&occurrence.at_us)) {
                extend(rules, history, &[entry], &mut best);
            }
        }
        best.map(|chain| (chain.len(), chain))
    }

    fn occurrence((at_us, id, kind): (i64, u8, u8)) -> Occurrence {
        // The value distinguishes entries.
        Occurrence {
            user: 1,
            at_us,
            id: [id; 16],
            kind,
            value: Value::new(usize::from(id) + 1000 * usize::try_from(at_us).unwrap()),
        }
    }

    /// There are few different times, so that many events happen at the same instant.
    fn history() -> impl Strategy<Value = Vec<Occurrence>> {
        prop::collection::vec((0..12_i64, 0..200_u8, 0..3_u8), 0..14).prop_map(|drawn| {
            let mut history: Vec<_> = drawn.into_iter().map(occurrence).collect();
            history.sort_unstable();
            history
        })
    }

    proptest! {
        #[test]
        fn the_deepest_and_then_earliest_chain_is_found(
            history in history(),
            steps in prop::collection::vec(0..3_u8, 2..6),
            within_us in 0..12_i64,
            from in 0..6_i64,
            length in 0..8_i64,
        ) {
            let rules = Rules { steps, within_us, entries_us: once(from..from + length).collect() };
            // The API never reads events of types that no step has.
            let history: Vec<_> = history.into_iter().filter(|occurrence| rules.steps.contains(&occurrence.kind)).collect();
            let found = Finder::new(&rules).deepest(&history);
            let expected = naive(&rules, &history);
            assert_eq!(found.map(|chain| chain.depth), expected.as_ref().map(|(depth, _)| *depth));
            if let (Some(found), Some((depth, places))) = (found, expected) {
                assert_eq!(found.value, history[places[0]].value);
                let times: Vec<_> = places.iter().map(|place| history[*place].at_us).collect();
                assert_eq!(found.at_us[..depth], times);
            }
        }
    }

    #[test]
    fn a_million_events_of_one_person_are_no_burden() {
        let rules = Rules { steps: vec![0; MAX_STEPS], within_us: 8, entries_us: once(0..i64::MAX).collect() };
        let history: Vec<_> = (0..1_000_000).map(|at_us| Occurrence { at_us, ..occurrence((0, 0, 0)) }).collect();
        assert_eq!(Finder::new(&rules).deepest(&history).map(|chain| chain.depth), Some(9));
    }

    #[test]
    fn an_occurrence_takes_32_bytes() {
        assert_eq!(size_of::<Occurrence>(), 32);
        assert_eq!([0, 1, Value::END - 1].map(|number| Value::new(number).number()), [0, 1, Value::END - 1]);
    }
}
