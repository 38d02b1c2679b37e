//! The retry policy: faults of PostgreSQL are retried until they pass, and a message whose rows are
//! refused comes back after a growing delay.

use std::convert::Infallible;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use backon::{ExponentialBuilder, Retryable};
use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::settle::delivery::Delivery;
use crate::status::Status;

/// Longest delay between two attempts while PostgreSQL is away.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// When the worker stops, a running attempt may take this long to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Retries of a message before its refused events become dead letters.
pub(crate) const MAX_RETRIES: u32 = 5;

/// When failed batches and refused messages are tried again.
pub(crate) struct RetryPolicy {
    /// Time between two reports that messages are in progress, which keep them from other workers.
    pub(crate) progress: Duration,
    /// Delay before the first redelivery of a message with refused rows.
    pub(crate) first_delay: Duration,
}

impl RetryPolicy {
    /// The delay after the given number of failures. It doubles with each failure up to that of the last
    /// retry, and has jitter of up to 20 %, so that messages that failed together are not redelivered
    /// together.
    pub(crate) fn delay_after(&self, failures: u32) -> Duration {
        let doublings = failures.clamp(1, MAX_RETRIES) - 1;
        self.first_delay.mul_f64(f64::from(1_u32 << doublings) * rand::random_range(0.8..1.2))
    }

    /// Tries until an attempt succeeds. `None` if the worker stops first; the last attempt may have
    /// succeeded even then.
    pub(crate) async fn retry<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        deliveries: &[Delivery],
        status: &Status,
        stop: &CancellationToken,
        attempt: impl FnMut() -> F,
    ) -> Option<T> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(MAX_DELAY)
            .without_max_times()
            .with_jitter();
        let mut waiting = None;
        let warn = |error: &StoreError, delay: Duration| {
            counter!("rollcall_store_retries_total").increment(1);
            match waiting {
                None => waiting = Some(status.wait_for_database(error)),
                Some(_) => status.record_error(error.summary()),
            }
            let delay_ms = delay.as_millis() as u64;
            tracing::warn!(error = error as &dyn std::error::Error, delay_ms, "a batch waits for PostgreSQL");
        };
        let done = attempt.retry(backoff).notify(warn);
        tokio::pin!(done);
        let work = async {
            tokio::select! {
                done = &mut done => done.ok(),
                // A running attempt may end, but the worker no longer waits for a database that is away.
                () = stop.cancelled() => tokio::time::timeout(STOP_TIMEOUT, done).await.ok()?.ok(),
            }
        };
        self.keep_in_progress(deliveries, work).await
    }

    /// Does the work and meanwhile reports the messages in progress, so that no other worker gets them.
    /// While NATS is away, the reports wait and the work goes on.
    pub(crate) async fn keep_in_progress<T>(&self, deliveries: &[Delivery], work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.report(deliveries) => match never {},
        }
    }

    async fn report(&self, deliveries: &[Delivery]) -> Infallible {
        let mut tick = tokio::time::interval(self.progress);
        tick.tick().await;
        loop {
            tick.tick().await;
            for delivery in deliveries {
                delivery.answer(AckKind::Progress).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_stay_at_the_last() {
        let policy = RetryPolicy { progress: Duration::MAX, first_delay: Duration::from_secs(1) };
        for (failures, secs) in [(1, 1.0), (2, 2.0), (5, 16.0), (60, 16.0)] {
            let delay = policy.delay_after(failures).as_secs_f64();
            assert!((0.8 * secs..1.2 * secs).contains(&delay), "{failures}: {delay}");
        }
    }
}
