//! The buckets in use, each created when something is first taken from it.

use std::collections::HashMap;
use std::hash::Hash;

use governor::clock::{Clock, MonotonicClock};

use super::bucket::Bucket;
use super::rate::Rate;

/// With fewer buckets, nothing is removed.
const MIN_SWEPT: usize = 1_024;

/// Buckets by their owners. A full bucket is like a new one, so it is removed when there are many: the memory is
/// bounded by the owners from whose buckets something was taken lately.
#[derive(Debug)]
pub(in crate::auth) struct Buckets<K, C: Clock = MonotonicClock> {
    by_owner: HashMap<K, Bucket<C>>,
    /// When there are this many, the full ones are removed.
    sweep_at: usize,
    clock: C,
}

impl<K: Eq + Hash> Default for Buckets<K> {
    fn default() -> Self {
        Self::new(MonotonicClock)
    }
}

impl<K: Eq + Hash, C: Clock + Clone> Buckets<K, C> {
    pub(super) fn new(clock: C) -> Self {
        Self { by_owner: HashMap::new(), sweep_at: MIN_SWEPT, clock }
    }

    /// The bucket of an owner, with this rate. A change of the rate does not fill it: a client may have connections
    /// from before and after the change.
    pub(in crate::auth) fn of(&mut self, owner: K, rate: Rate) -> &Bucket<C> {
        if self.by_owner.len() >= self.sweep_at {
            self.by_owner.retain(|_, bucket| !bucket.is_full());
            // The next sweep is after as many insertions as there are buckets, so an insertion costs little.
            self.sweep_at = (2 * self.by_owner.len()).max(MIN_SWEPT);
        }
        let new = || Bucket::new(rate, self.clock.clone());
        let bucket = self.by_owner.entry(owner).or_insert_with(new);
        if bucket.rate() != rate {
            *bucket = bucket.with_rate(rate);
        }
        bucket
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_owner.len()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let mut buckets = Buckets::new(clock.clone());
        let rate = Rate::new(NonZeroU32::MIN, 1, 1);
        for owner in 0..10 * MIN_SWEPT {
            buckets.of(owner, rate).take(NonZeroU32::MIN).unwrap();
        }
        assert_eq!(buckets.len(), 10 * MIN_SWEPT, "each of them still limits its owner");
        clock.advance(Duration::from_secs(1));
        for owner in 0..10 * MIN_SWEPT {
            buckets.of(usize::MAX - owner, rate).take(NonZeroU32::MIN).unwrap();
        }
        assert!(buckets.len() <= 20 * MIN_SWEPT, "{}", buckets.len());
        assert!(buckets.of(0, rate).is_full());
    }

    #[test]
    fn a_changed_rate_holds_at_once_and_fills_no_bucket() {
        let clock = FakeRelativeClock::default();
        let mut buckets = Buckets::new(clock.clone());
        let [one, two] = [1, 2].map(|rate| Rate::new(NonZeroU32::new(rate).unwrap(), 1, 1));
        buckets.of((), one).take(NonZeroU32::MIN).unwrap();
        for rate in [one, two, one, two] {
            assert!(buckets.of((), rate).take(NonZeroU32::MIN).is_err(), "{rate:?}");
        }
        clock.advance(Duration::from_millis(500));
        buckets.of((), two).take(NonZeroU32::MIN).unwrap();
        assert!(buckets.of((), one).take(NonZeroU32::MIN).is_err());
        clock.advance(Duration::from_secs(1));
        assert_eq!(buckets.of((), two).content().left, 2);
    }
}
