//! Strangers: keys that are not known, which anybody can invent, and whose look-ups cost the database something.
//!
//! Two things bound them. One connection to the database is never used for strangers, so known keys are looked up
//! again without waiting for them. And an address that has sent many keys that do not exist must wait before
//! another key of it is looked up. A new key of the same address may have to wait too, and only until it was looked
//! up once; new keys of other addresses wait for at most the look-ups in progress.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::{Buckets, Rate};
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// The name of this limit among the values of a label.
pub(super) const LIMIT_NAME: &str = "unknown-keys";
/// An address may look up as many unknown keys at once as in this many seconds.
const BURST_SECS: u32 = 2;

/// Bounds the look-ups of keys that are not known.
#[derive(Debug)]
pub(super) struct Strangers {
    rate: Rate,
    /// How long a look-up waits for the others.
    timeout: Duration,
    connections: Semaphore,
    by_network: Mutex<Buckets<IpAddr>>,
}

impl Strangers {
    /// Strangers use all but one of the `connections` for look-ups, but at least one.
    pub(super) fn new(per_second: NonZeroU32, connections: u32, timeout: Duration) -> Self {
        let connections = Semaphore::new(connections.saturating_sub(1).max(1) as usize);
        Self { rate: Rate::new(per_second, 1, BURST_SECS), timeout, connections, by_network: Mutex::default() }
    }

    /// A permit to look up a key that is not known.
    ///
    /// # Errors
    /// [`ApiError::TooManyUnknownKeys`] if too many keys of this address did not exist, [`ApiError::DatabaseBusy`] if
    /// the look-ups of others take too long.
    pub(super) async fn admit(&self, address: Option<ClientAddress>) -> Result<SemaphorePermit<'_>, ApiError> {
        self.check(address)?;
        // The semaphore is never closed, so an error is always the timeout.
        let Ok(Ok(permit)) = tokio::time::timeout(self.timeout, self.connections.acquire()).await else {
            return Err(ApiError::DatabaseBusy(sqlx::Error::PoolTimedOut));
        };
        // Others of the address may have been looked up meanwhile.
        self.check(address)?;
        Ok(permit)
    }

    /// Counts a key that does not exist.
    pub(super) fn count(&self, address: Option<ClientAddress>) {
        if let Some(ClientAddress(address)) = address {
            // With several connections, a few more look-ups than allowed may end at once.
            let _ = self.by_network().of(network(address), self.rate).take(NonZeroU32::MIN);
        }
    }

    fn check(&self, address: Option<ClientAddress>) -> Result<(), ApiError> {
        let Some(ClientAddress(address)) = address else { return Ok(()) };
        if self.by_network().of(network(address), self.rate).look(NonZeroU32::MIN).is_ok() {
            return Ok(());
        }
        counter!("rollcall_limited_requests_total", "limit" => LIMIT_NAME).increment(1);
        Err(ApiError::TooManyUnknownKeys)
    }

    fn by_network(&self) -> MutexGuard<'_, Buckets<IpAddr>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network of a client: its address, or with IPv6 the first 64 bits of it, of which a client usually has all
/// addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers() -> Strangers {
        Strangers::new(NonZeroU32::MIN, 2, Duration::from_secs(1))
    }

    fn address(text: &str) -> Option<ClientAddress> {
        Some(ClientAddress(text.parse().unwrap()))
    }

    #[tokio::test]
    async fn an_address_that_invents_keys_must_wait_and_no_other_does() {
        let strangers = strangers();
        for _ in 0..BURST_SECS {
            drop(strangers.admit(address("2001:db8::1")).await.unwrap());
            strangers.count(address("2001:db8::1"));
        }
        for same in ["2001:db8::1", "2001:db8::ffff:1"] {
            assert!(matches!(strangers.admit(address(same)).await, Err(ApiError::TooManyUnknownKeys)), "{same}");
        }
        for other in ["2001:db8:0:1::1", "192.0.2.1"] {
            assert!(strangers.admit(address(other)).await.is_ok(), "{other}");
        }
        assert!(strangers.admit(None).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn look_ups_of_strangers_take_turns() {
        let strangers = strangers();
        let first = strangers.admit(None).await.unwrap();
        assert!(matches!(strangers.admit(None).await, Err(ApiError::DatabaseBusy(_))));
        drop(first);
        assert!(strangers.admit(None).await.is_ok());
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_either_notation() {
        let [mapped, plain] = ["::ffff:192.0.2.1", "192.0.2.1"].map(|text| network(text.parse().unwrap()));
        assert_eq!(mapped, plain);
    }
}
