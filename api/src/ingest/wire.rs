//! The wire: what clients send, before anything about it is believed.
//!
//! A [`WireEvent`] holds the fields of one event as raw JSON, sorted to their meaning by name. A
//! value of the wrong type is no error here, so one bad event cannot spoil the reading of its
//! neighbours; `validate` judges the values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of an event that have a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    EventId,
    EventType,
    UserId,
    AnonymousId,
    SessionId,
    AccountId,
    OccurredAt,
    Properties,
}

/// How many variants [`Field`] has.
const FIELDS: usize = 8;

/// Every name of every field; the first of each is the name that answers use.
const NAMES: [(Field, &[&str]); FIELDS] = [
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
    /// The field of this name, and the name itself for as long as the program runs.
    fn named(name: &str) -> Option<(Self, &'static str)> {
        NAMES.iter().find_map(|(field, names)| names.iter().find(|known| **known == name).map(|known| (*field, *known)))
    }

    /// The name that answers use.
    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize].1[0]
    }
}

/// A value under the name that the client gave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'static str,
    pub(super) value: &'a RawValue,
}

/// Two names of one field with values that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conflict {
    pub(super) first: &'static str,
    pub(super) second: &'static str,
}

/// One event as it came.
#[derive(Debug, Default)]
pub(super) struct WireEvent<'a> {
    fields: [Option<Named<'a>>; FIELDS],
    /// Fields without a meaning of their own, in order.
    pub(super) extra: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub(super) conflicts: Vec<Conflict>,
    /// The value was not a JSON object at all.
    pub(super) is_no_object: bool,
}

impl<'a> WireEvent<'a> {
    /// The value of a field under whichever of its names it came; JSON's null counts as absent.
    pub(super) fn get(&self, field: Field) -> Option<Named<'a>> {
        self.fields[field as usize]
    }

    /// Whether no field has been set.
    pub(super) fn is_empty(&self) -> bool {
        self.extra.is_empty() && self.fields.iter().all(Option::is_none)
    }

    /// The name of some field that is set.
    pub(super) fn any_name(&self) -> Option<&str> {
        let known = self.fields.iter().flatten().next().map(|named| named.name);
        known.or_else(|| self.extra.first().map(|(name, _)| name.as_ref()))
    }

    /// Takes one entry of the JSON object.
    pub(super) fn set(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        let Some((field, name)) = Field::named(&name) else {
            self.extra.push((name, value));
            return;
        };
        if value.get() == "null" {
            return;
        }
        match self.fields[field as usize] {
            None => self.fields[field as usize] = Some(Named { name, value }),
            Some(first) if agree(first.value, value) => {}
            Some(first) => self.conflicts.push(Conflict { first: first.name, second: name }),
        }
    }
}

/// Whether two JSON values mean the same: as they stand, as values, or as number and its text.
fn agree(a: &RawValue, b: &RawValue) -> bool {
    let value = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    a.get() == b.get()
        || a.get().trim_matches('"') == b.get().trim_matches('"')
        || matches!((value(a), value(b)), (Some(a), Some(b)) if a == b)
}

impl<'de: 'a, 'a> Deserialize<'de> for WireEvent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WireEventVisitor)
    }
}

struct WireEventVisitor;

impl WireEventVisitor {
    fn no_object<'de, E>() -> Result<WireEvent<'de>, E> {
        Ok(WireEvent { is_no_object: true, ..WireEvent::default() })
    }
}

impl<'de> Visitor<'de> for WireEventVisitor {
    type Value = WireEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut event = WireEvent::default();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            event.set(name.0, map.next_value()?);
        }
        Ok(event)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Self::no_object()
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Self::no_object()
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Self::no_object()
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Self::no_object()
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Self::no_object()
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Self::no_object()
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Self::no_object()
    }
}

/// A key of a JSON object, borrowed where it holds no escapes.
pub(super) struct Name<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rollcall_shared::event::Text::deserialize(deserializer).map(|text| Self(text.0))
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
    fn names_that_agree_are_one_and_names_that_differ_are_told() {
        let event: WireEvent<'_> = serde_json::from_str(r#"{"user_id":42,"userId":"42","time":1,"ts":2,"uuid":null}"#).unwrap();
        assert_eq!(event.get(Field::UserId).unwrap().name, "user_id");
        assert_eq!(event.conflicts.iter().map(|c| (c.first, c.second)).collect::<Vec<_>>(), [("time", "ts")]);
        assert!(event.get(Field::EventId).is_none());
    }
}
