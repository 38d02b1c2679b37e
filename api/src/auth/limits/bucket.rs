//! A token bucket: whether an amount may be taken from it now, or how long to wait.
//!
//! The decision is that of the crate `governor`, which uses the generic cell rate algorithm (GCRA). The store of its
//! state is our own, for two reasons. A request is charged to several buckets or to none, so a bucket must also say
//! what it would decide. And an amount that exceeds the size of the bucket must be possible, or a client could never
//! send it: it is taken from a full bucket, which is then in debt and takes longer to fill.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;

use super::rate::Rate;

/// Longest debt in nanoseconds: about 146 years. It only keeps sums of times from overflowing.
const MAX_DEBT_NANOS: u64 = u64::MAX / 4;

/// One bucket. Whoever uses it holds a lock, so a decision stays right until it is carried out.
#[derive(Debug)]
pub(in crate::auth) struct Bucket<C: Clock = MonotonicClock> {
    rate: Rate,
    clock: C,
    limiter: RateLimiter<Act, Level, C, StateInformationMiddleware>,
}

/// What a decision does to the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Act {
    /// Nothing.
    Look,
    /// The amount is taken, and so is the part of it that exceeds the size of the bucket.
    Take { debt_nanos: u64 },
}

/// The state as GCRA keeps it: when the bucket is full again, counted from its beginning.
#[derive(Debug, Default)]
struct Level(Cell<Option<Nanos>>);

impl StateStore for Level {
    type Key = Act;

    fn measure_and_replace<T, F, E>(&self, act: &Act, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (decision, full_at) = decide(self.0.get())?;
        if let Act::Take { debt_nanos } = act {
            self.0.set(Some(full_at + Nanos::from(*debt_nanos)));
        }
        Ok(decision)
    }
}

/// What is in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// The amount that can be taken now.
    pub(super) left: u32,
    /// When the bucket is full again if nothing is taken.
    pub(super) full_in: Duration,
}

impl<C: Clock + Clone> Bucket<C> {
    /// A full bucket.
    pub(super) fn new(rate: Rate, clock: C) -> Self {
        Self::at(rate, Level::default(), clock)
    }

    /// The same bucket with another rate: it is full again at the same time.
    pub(super) fn with_rate(&self, rate: Rate) -> Self {
        let full_at = Nanos::from(self.content().full_in);
        Self::at(rate, Level(Cell::new(Some(full_at))), self.clock.clone())
    }

    fn at(rate: Rate, level: Level, clock: C) -> Self {
        Self { rate, limiter: RateLimiter::new(rate.quota(), level, clock.clone()), clock }
    }

    /// How large it is, and how fast it fills.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether this amount can be taken now.
    ///
    /// # Errors
    /// How long to wait until it can, if nothing else is taken.
    pub(in crate::auth) fn look(&self, amount: NonZeroU32) -> Result<(), Duration> {
        self.decide(amount, Act::Look)
    }

    /// Takes this amount.
    ///
    /// # Errors
    /// As [`Self::look`]; nothing was taken then.
    pub(in crate::auth) fn take(&self, amount: NonZeroU32) -> Result<(), Duration> {
        let beyond = amount.get().saturating_sub(self.rate.burst.get());
        let nanos = u64::try_from(self.rate.interval.as_nanos()).unwrap_or(u64::MAX);
        self.decide(amount, Act::Take { debt_nanos: nanos.saturating_mul(beyond.into()).min(MAX_DEBT_NANOS) })
    }

    /// What is in it.
    pub(super) fn content(&self) -> Content {
        let (interval, burst) = (self.rate.interval, self.rate.burst.get());
        match self.limiter.check_key(&Act::Look) {
            // The decision was made as if one had been taken.
            Ok(after) => {
                let left = after.remaining_burst_capacity() + 1;
                Content { left, full_in: interval * burst.saturating_sub(left) }
            }
            Err(refused) => Content { left: 0, full_in: refused.wait_time_from(self.clock.now()) + interval * (burst - 1) },
        }
    }

    /// Whether it is like a new one.
    pub(super) fn is_full(&self) -> bool {
        self.content().left >= self.rate.burst.get()
    }

    fn decide(&self, amount: NonZeroU32, act: Act) -> Result<(), Duration> {
        // The state decides about no more than a full bucket, so that the capacity always suffices.
        let within = amount.min(self.rate.burst);
        match self.limiter.check_key_n(&act, within) {
            Ok(decision) => decision.map(drop).map_err(|refused| refused.wait_time_from(self.clock.now())),
            Err(_) => Err(self.rate.window()),
        }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    /// A bucket of ten that fills in a second.
    fn bucket(clock: &FakeRelativeClock) -> Bucket<FakeRelativeClock> {
        Bucket::new(Rate::new(number(10), 1, 1), clock.clone())
    }

    #[test]
    fn what_was_taken_comes_back_with_time() {
        let clock = FakeRelativeClock::default();
        let bucket = bucket(&clock);
        bucket.take(number(7)).unwrap();
        assert_eq!(bucket.content(), Content { left: 3, full_in: SECOND * 7 / 10 });
        assert_eq!(bucket.take(number(4)), Err(SECOND / 10));
        assert_eq!(bucket.content().left, 3, "a refusal takes nothing");
        clock.advance(SECOND / 10);
        bucket.take(number(4)).unwrap();
        assert_eq!(bucket.content(), Content { left: 0, full_in: SECOND });
        clock.advance(SECOND);
        assert!(bucket.is_full());
        clock.advance(SECOND * 100);
        assert_eq!(bucket.content().left, 10, "it never holds more than its size");
    }

    #[test]
    fn to_look_takes_nothing() {
        let clock = FakeRelativeClock::default();
        let bucket = bucket(&clock);
        for _ in 0..20 {
            bucket.look(number(10)).unwrap();
        }
        assert!(bucket.is_full());
    }

    #[test]
    fn more_than_its_size_is_taken_from_a_full_bucket_and_is_owed() {
        let clock = FakeRelativeClock::default();
        let bucket = bucket(&clock);
        bucket.take(number(1)).unwrap();
        assert_eq!(bucket.take(number(35)), Err(SECOND / 10), "it must be full");
        clock.advance(SECOND / 10);
        bucket.take(number(35)).unwrap();
        assert_eq!(bucket.content(), Content { left: 0, full_in: SECOND * 35 / 10 });
        assert_eq!(bucket.take(number(1)), Err(SECOND * 26 / 10));
        assert_eq!(bucket.take(number(35)), Err(SECOND * 35 / 10));
        clock.advance(SECOND * 26 / 10);
        bucket.take(number(1)).unwrap();
    }

    #[test]
    fn the_largest_debt_is_a_time_that_can_be_counted() {
        let clock = FakeRelativeClock::default();
        let bucket = Bucket::new(Rate::new(number(1), 1_000, 1), clock.clone());
        bucket.take(number(u32::MAX)).unwrap();
        assert!(bucket.take(number(u32::MAX)).unwrap_err() > SECOND * 1_000_000_000);
        clock.advance(SECOND);
        assert_eq!(bucket.content().left, 0);
    }
}
