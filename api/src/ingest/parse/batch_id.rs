//! Batch ids: they give an event that came without an id the same id when its batch is sent again.
//!
//! Such an event gets an id made of the batch's id and its place in the batch. If some events of a batch may
//! be in the queue and others not, the answer contains the batch's id as an `Idempotency-Key`. A client that
//! sends the batch again with this key gets the same ids as before, so no event is stored twice. A batch id
//! contains the time at which the batch was first received. This is the time, and so decides the day, of
//! events that came without a time.

use std::time::Duration;

use uuid::{NoContext, Timestamp, Uuid};

/// The beginning of keys that name a batch.
const PREFIX: &str = "resend-";
/// The bits of a UUIDv7 that are incremented for each event: all that follow the variant.
const COUNTED: u128 = (1 << 62) - 1;

/// The id of a batch: a UUIDv7 of the time at which it was first received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchId(pub(crate) Uuid);

impl BatchId {
    /// A new id for a batch received at this time since 1970.
    pub(crate) fn new(received_at: Duration) -> Self {
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, received_at.as_secs(), received_at.subsec_nanos())))
    }

    /// The batch that an `Idempotency-Key` names; `None` for keys that clients made up, and for times
    /// later than `latest_us`.
    pub(crate) fn of_key(key: &str, latest_us: i64) -> Option<Self> {
        let id = Self(key.strip_prefix(PREFIX)?.parse().ok()?);
        (id.0.get_version_num() == 7 && id.key() == key && id.received_at_us() <= latest_us).then_some(id)
    }

    /// The `Idempotency-Key` with which the batch can be sent again.
    pub(crate) fn key(self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    /// When the batch was first received, in whole milliseconds, as microseconds since 1970.
    pub(crate) fn received_at_us(self) -> i64 {
        // The first 48 bits count the milliseconds, so no number is too large.
        (self.0.as_u128() >> 80) as i64 * 1_000
    }

    /// The id of the event at this place.
    pub(crate) fn event_id(self, index: usize) -> Uuid {
        let bits = self.0.as_u128();
        let counted = (bits & COUNTED).wrapping_add(index as u128 + 1) & COUNTED;
        Uuid::from_u128(bits & !COUNTED | counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_micros(1_790_000_000_123_456);
    const NOW_US: i64 = NOW.as_micros() as i64;

    #[test]
    fn a_key_leads_back_to_the_batch() {
        let batch = BatchId::new(NOW);
        assert_eq!(BatchId::of_key(&batch.key(), NOW_US), Some(batch));
        assert_eq!(batch.received_at_us(), NOW_US / 1_000 * 1_000);
        let key = batch.key();
        for other in [&key[7..], &key.to_uppercase(), "resend-", "resend-67e55044-10b1-426f-9247-bb680e5fe0c8"] {
            assert_eq!(BatchId::of_key(other, NOW_US), None, "{other}");
        }
        assert_eq!(BatchId::of_key(&key, NOW_US - 1_000), None, "a time ahead");
    }

    #[test]
    fn every_event_of_a_batch_has_an_id_of_its_own_and_of_its_time() {
        for base in [BatchId::new(NOW), BatchId(Uuid::from_u128(BatchId::new(NOW).0.as_u128() | COUNTED))] {
            let ids: std::collections::HashSet<Uuid> = (0..1_000).map(|index| base.event_id(index)).collect();
            assert_eq!(ids.len(), 1_000);
            assert!(
                ids.iter().all(|id| *id != base.0
                    && id.get_version_num() == 7
                    && BatchId(*id).received_at_us() == base.received_at_us())
            );
        }
    }
}
