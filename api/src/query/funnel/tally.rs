//! Tallies: how many people reached each step, and how long each step took.

use super::chain::{Chain, Finder, MAX_STEPS, Occurrence, Rules, Value};

/// The tally of the people with one value of a property, or of all people.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// The number of people who reached each step.
    pub(super) users: [u64; MAX_STEPS],
    /// For each step from the second on, the microseconds since the previous step.
    gaps_us: Vec<Vec<i64>>,
}

/// The tallies of all values by their numbers.
#[derive(Debug, Default)]
pub(super) struct Tallies(Vec<Tally>);

impl Tally {
    fn add(&mut self, chain: &Chain) {
        self.gaps_us.resize_with(self.gaps_us.len().max(chain.depth - 1), Vec::new);
        self.users[0] += 1;
        for step in 1..chain.depth {
            self.users[step] += 1;
            self.gaps_us[step - 1].push(chain.gap_us(step));
        }
    }

    /// Adds the tally of other people.
    pub(super) fn merge(&mut self, other: Self) {
        self.gaps_us.resize_with(self.gaps_us.len().max(other.gaps_us.len()), Vec::new);
        self.users.iter_mut().zip(other.users).for_each(|(mine, others)| *mine += others);
        self.gaps_us.iter_mut().zip(other.gaps_us).for_each(|(mine, others)| mine.extend(others));
    }

    /// The median of the seconds since the previous step; `None` if nobody reached this step.
    pub(super) fn median_seconds(&mut self, step: usize) -> Option<f64> {
        let gaps_us = self.gaps_us.get_mut(step.checked_sub(1)?)?;
        let middle = gaps_us.len() / 2;
        if gaps_us.is_empty() {
            return None;
        }
        let is_even = gaps_us.len().is_multiple_of(2);
        let (below, upper, _) = gaps_us.select_nth_unstable(middle);
        let upper = *upper;
        let lower = below.iter().max().filter(|_| is_even).copied().unwrap_or(upper);
        Some((lower + upper) as f64 / 2e6)
    }
}

impl Tallies {
    /// Adds the people of these events, which may come in any order.
    pub(super) fn add(&mut self, rules: &Rules, occurrences: &mut [Occurrence]) {
        occurrences.sort_unstable();
        let mut finder = Finder::new(rules);
        for history in occurrences.chunk_by(|one, next| one.user == next.user) {
            if let Some(chain) = finder.deepest(history) {
                self.of(chain.value).add(&chain);
            }
        }
    }

    fn of(&mut self, value: Value) -> &mut Tally {
        let number = value.number();
        if self.0.len() <= number {
            self.0.resize_with(number + 1, Tally::default);
        }
        &mut self.0[number]
    }

    /// The tally of all people.
    pub(super) fn total(self) -> Tally {
        self.0.into_iter().fold(Tally::default(), |mut total, tally| {
            total.merge(tally);
            total
        })
    }

    /// The tallies of the values with which people entered, with the numbers of the values.
    pub(super) fn by_value(self) -> impl Iterator<Item = (usize, Tally)> {
        self.0.into_iter().enumerate().filter(|(_, tally)| tally.users[0] > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_between_the_middle_values() {
        let median = |gaps_us: &[i64]| Tally { gaps_us: vec![gaps_us.to_vec()], ..Tally::default() }.median_seconds(1);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[5_000_000]), Some(5.0));
        assert_eq!(median(&[4_000_000, 1_000_000, 3_000_001, 2_000_000]), Some(2.500_000_5));
        assert_eq!(median(&[9_000_000, 0, 1_500_000]), Some(1.5));
    }
}
