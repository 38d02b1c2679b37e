//! The fields of an event that have a meaning of their own, and the names that clients may use for them.
//!
//! The API uses these names for JSON, and the command line for the columns of CSV files.

/// A field of an event that has a meaning of its own. All other fields become properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The id, which makes the event unique within its project.
    EventId,
    /// What happened.
    EventType,
    /// Who did it: a signed-in user.
    UserId,
    /// Who did it: a device or browser that is not signed in.
    AnonymousId,
    /// The visit that it belongs to.
    SessionId,
    /// The company or group that it belongs to.
    AccountId,
    /// When it happened: RFC 3339 or a number.
    OccurredAt,
    /// A JSON object with anything else.
    Properties,
}

/// All names of each field. Answers use the first one.
const NAMES: [(Field, &[&str]); Field::COUNT] = [
    (Field::EventId, &["event_id", "eventId", "messageId", "uuid", "insert_id", "$insert_id"]),
    (Field::EventType, &["event_type", "eventType", "event", "event_name", "type"]),
    (Field::UserId, &["user_id", "userId", "distinct_id"]),
    (Field::AnonymousId, &["anonymous_id", "anonymousId"]),
    (Field::SessionId, &["session_id", "sessionId"]),
    (Field::AccountId, &["account_id", "accountId"]),
    (Field::OccurredAt, &["occurred_at", "timestamp", "time", "ts"]),
    (Field::Properties, &["properties", "payload", "metadata", "jsonDetails"]),
];

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = 8;

    /// The field with this name, and the name as a static text.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<(Self, &'static str)> {
        NAMES.iter().find_map(|(field, names)| names.iter().find(|known| known.as_bytes() == name).map(|known| (*field, *known)))
    }

    /// The name that answers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    /// Every name that clients may use; the first is the one that answers use.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        NAMES[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_stands_at_its_place_in_the_table() {
        for (place, (field, _)) in NAMES.iter().enumerate() {
            assert_eq!(*field as usize, place);
        }
    }

    #[test]
    fn no_two_fields_share_a_name() {
        for (field, names) in &NAMES {
            for name in *names {
                assert_eq!(Field::named(name.as_bytes()), Some((*field, *name)));
            }
        }
    }
}
