//! Resending: the same batch sent again gets the same ids, also for events that have none.
//!
//! Such events get ids made of their batch's id and their place in it. A batch that was perhaps
//! queued in part is answered with that id as an `Idempotency-Key`; whoever sends the batch again with
//! this key gets the ids of the first time, and so stores nothing twice. The id carries the time of the
//! first receipt, which is the time of events without one and decides on their day.

use uuid::{NoContext, Timestamp, Uuid};

/// How keys begin that name a batch.
const PREFIX: &str = "resend-";
/// The bits of a UUIDv7 that are counted up from event to event: all behind the variant.
const COUNTED: u128 = (1 << 62) - 1;

/// The id of a batch: a UUIDv7 of the time at which it was first received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchId(pub(crate) Uuid);

impl BatchId {
    /// A new one for a batch received at this time, in microseconds since 1970.
    pub(crate) fn new(received_at_us: i64) -> Self {
        let micros = u64::try_from(received_at_us).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, micros / 1_000_000, nanos)))
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
        i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX / 1_000) * 1_000
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

    const NOW_US: i64 = 1_790_000_000_123_456;

    #[test]
    fn a_key_leads_back_to_the_batch() {
        let batch = BatchId::new(NOW_US);
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
        for base in [BatchId::new(NOW_US), BatchId(Uuid::from_u128(BatchId::new(NOW_US).0.as_u128() | COUNTED))] {
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
