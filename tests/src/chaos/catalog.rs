//! The events of a run: number `n` is the same event whoever sends it and however often.
//!
//! Because an event follows from seed and number alone, the oracle need not remember any.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rollcall_shared::event::identity;
use serde_json::{Value, json};
use uuid::Uuid;

/// The event type that the database is made to refuse.
pub(crate) const POISON: &str = "poison";
/// Event types of ordinary events.
pub(crate) const TYPES: u64 = 10;
/// People.
const USERS: u64 = 1_000;
/// Sessions, which the events of any people belong to.
const SESSIONS: u64 = 300;
/// Most events lie at most this many days back.
pub(crate) const RECENT_DAYS: i64 = 30;
/// Late events lie at most this many days back.
pub(crate) const LATE_DAYS: i64 = 120;
/// One event in this many is late.
const LATE_ONE_IN: u64 = 20;
/// The first events of a run lie in days that get no others, so that these days can be archived and dropped while clients
/// still send: so many events,
const OLD_EVENTS: u64 = 3_000;
/// and so many days back, at least.
const OLD_DAYS_BACK: u64 = 200;
/// The number of these days.
const OLD_DAYS: u64 = 30;
/// One event in this many comes from somebody who is not signed in.
const ANONYMOUS_ONE_IN: u64 = 4;

/// Every event that the run may send.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    pub(crate) seed: u64,
    /// The day on which the run began; all events lie before it.
    pub(crate) today: Date,
    /// One event in this many is of the type [`POISON`].
    pub(crate) poison_one_in: u64,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChaosEvent {
    pub(crate) id: String,
    /// Who is counted.
    pub(crate) user: String,
    /// Whether the user is named as such, or else as an anonymous id.
    pub(crate) is_signed_in: bool,
    pub(crate) event_type: String,
    pub(crate) day: Date,
    pub(crate) occurred_at: Timestamp,
}

impl Catalog {
    /// The event of this number.
    pub(crate) fn event(&self, number: u64) -> ChaosEvent {
        let user = self.draw(number, "user") % USERS;
        let event_type = self.draw(number, "type") % TYPES;
        let is_late = self.draw(number, "late").is_multiple_of(LATE_ONE_IN);
        let days = if is_late { LATE_DAYS } else { RECENT_DAYS };
        let back = match self.draw(number, "day") {
            draw if number < OLD_EVENTS => OLD_DAYS_BACK + draw % OLD_DAYS,
            draw => 1 + draw % days.unsigned_abs(),
        };
        let day = self.today.saturating_sub(i64::try_from(back).expect("a few days").days());
        let second = i64::try_from(self.draw(number, "second") % 86_400).expect("less than a day");
        let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).expect("a day that UTC has").timestamp();
        ChaosEvent {
            id: self.id(number),
            user: format!("user_{user}"),
            is_signed_in: !self.draw(number, "anonymous").is_multiple_of(ANONYMOUS_ONE_IN),
            event_type: if self.is_poison(number) { POISON.to_owned() } else { format!("type_{event_type}") },
            day,
            occurred_at: midnight + second.seconds(),
        }
    }

    /// Whether the database refuses the event while it is made to.
    pub(crate) fn is_poison(&self, number: u64) -> bool {
        self.draw(number, POISON).is_multiple_of(self.poison_one_in)
    }

    /// The event as a client writes it.
    pub(crate) fn wire(&self, number: u64) -> Value {
        let event = self.event(number);
        let session = format!("session_{}", self.draw(number, "session") % SESSIONS);
        let who = if event.is_signed_in { "user_id" } else { "anonymous_id" };
        json!({"event_id": event.id, who: event.user, "session_id": session, "event_type": event.event_type,
               "occurred_at": event.occurred_at.to_string(), "properties": {"n": number}})
    }

    /// The event's identity in the database: its id, as the ledger writes it, and its day.
    pub(crate) fn identity(&self, number: u64) -> (Uuid, Date) {
        (identity(&self.id(number)), self.event(number).day)
    }

    /// The number of a stored row, from its two id columns; none if the run never made such an id.
    pub(crate) fn number_of(&self, event_id: Uuid, client_event_id: Option<&str>) -> Option<u64> {
        let number = match client_event_id {
            Some(text) => text.rsplit('-').next()?.parse().ok()?,
            None => u64::try_from(event_id.as_u128() & NUMBER_BITS).ok()?,
        };
        let as_sent = client_event_id.map_or_else(|| event_id.to_string(), str::to_owned);
        (self.id(number) == as_sent).then_some(number)
    }

    /// Every other id is a UUID, the rest are text.
    fn id(&self, number: u64) -> String {
        if number.is_multiple_of(2) {
            let bits = u128::from(self.seed) << 80 | u128::from(number) & NUMBER_BITS;
            Uuid::new_v8(bits.to_be_bytes()).to_string()
        } else {
            format!("chaos-{}-{number}", self.seed)
        }
    }

    /// A number that follows from seed, event and purpose (FNV-1a, finished as by splitmix64).
    fn draw(&self, number: u64, purpose: &str) -> u64 {
        let bytes = self.seed.to_le_bytes().into_iter().chain(number.to_le_bytes()).chain(purpose.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    }
}

/// The bits of a UUID that hold the number: below those of version and variant.
const NUMBER_BITS: u128 = (1 << 56) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(seed: u64) -> Catalog {
        Catalog { seed, today: jiff::civil::date(2026, 3, 1), poison_one_in: 500 }
    }

    #[test]
    fn a_stored_row_gives_its_number_back() {
        let catalog = catalog(7);
        for number in [0, 1, 2, 999, 1_000_000] {
            let id = catalog.id(number);
            let text = rollcall_shared::event::parse_uuid(&id).is_none().then_some(id.as_str());
            assert_eq!(catalog.number_of(catalog.identity(number).0, text), Some(number));
            assert_eq!(super::Catalog { seed: 8, ..catalog.clone() }.number_of(catalog.identity(number).0, text), None);
        }
    }

    #[test]
    fn a_few_events_are_poison_and_all_lie_before_the_run() {
        let catalog = catalog(1);
        let poison = (0..100_000).filter(|number| catalog.is_poison(*number)).count();
        assert!((150..250).contains(&poison), "{poison}");
        assert!((0..1_000).all(|number| catalog.event(number).day < catalog.today));
    }
}
