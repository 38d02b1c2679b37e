//! The wire: what clients send, before anything about it is believed.
//!
//! A [`WireEvent`] holds the fields of one event as raw JSON, sorted to their meaning by name. A
//! value of the wrong type is no error here, so one bad event cannot spoil the reading of its
//! neighbours; `validate` judges the values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::properties::MAX_PROPERTIES_BYTES;
use super::text;

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

/// What is wrong with the names of an event's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Two names of one field, or one name twice, with values that differ.
    Conflict { first: &'static str, second: &'static str },
    /// A name with half of a surrogate pair: no text. This is as much of it as can be shown.
    NoText(String),
}

/// Faults of one event beyond this number are not gathered: a client that made twenty mistakes has
/// made one.
pub(super) const MAX_FAULTS: usize = 20;

/// One event as it came.
#[derive(Debug, Default)]
pub(super) struct WireEvent<'a> {
    fields: [Option<Named<'a>>; FIELDS],
    /// Fields without a meaning of their own, in order.
    pub(super) extra: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Bytes of their names and values. Past [`MAX_PROPERTIES_BYTES`] no more of them are kept.
    pub(super) extra_bytes: usize,
    pub(super) faults: Vec<Fault>,
    /// The value was not a JSON object at all.
    pub(super) is_no_object: bool,
}

impl<'a> WireEvent<'a> {
    /// The value of a field under whichever of its names it came; JSON's null counts as absent.
    pub(super) fn get(&self, field: Field) -> Option<Named<'a>> {
        self.fields[field as usize]
    }

    /// The name of some field that is set, clipped.
    pub(super) fn any_name(&self) -> Option<Cow<'_, str>> {
        let no_text = self.faults.iter().find_map(|fault| match fault {
            Fault::NoText(shown) => Some(shown.as_str()),
            Fault::Conflict { .. } => None,
        });
        let known = self.fields.iter().flatten().next().map(|named| named.name);
        known.or(no_text).or_else(|| self.extra.first().map(|(name, _)| name.as_ref())).map(text::clipped)
    }

    /// Takes one entry of the JSON object.
    pub(super) fn set(&mut self, name: Name<'a>, value: &'a RawValue) {
        let name = match name {
            Name::Text(name) => name,
            Name::NoText(shown) => return self.note(Fault::NoText(shown)),
        };
        let Some((field, name)) = Field::named(&name) else { return self.set_extra(name, value) };
        if value.get() == "null" {
            return;
        }
        match self.fields[field as usize] {
            None => self.fields[field as usize] = Some(Named { name, value }),
            Some(_) if self.faults.len() >= MAX_FAULTS => {}
            Some(first) if agree(first.value.get(), value.get()) => {}
            Some(first) => self.note(Fault::Conflict { first: first.name, second: name }),
        }
    }

    /// More than the properties may hold is counted and not kept, so that an event takes no more
    /// memory than its text.
    fn set_extra(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        self.extra_bytes = self.extra_bytes.saturating_add(name.len() + value.get().len() + r#""":,"#.len());
        if self.extra_bytes <= MAX_PROPERTIES_BYTES || self.extra.is_empty() {
            self.extra.push((name, value));
        }
    }

    fn note(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// Whether two JSON values mean the same: as they stand, but for white space, as strings, or as a
/// number and its text. Numbers that differ in their digits do not, however close they are.
fn agree(a: &str, b: &str) -> bool {
    if a == b || a.trim_matches('"') == b.trim_matches('"') {
        return true;
    }
    // An escape is at most six times as long as what it stands for, and nobody sends that much white
    // space. So it takes no longer than the shorter of the two is long.
    if a.len() > 6 * b.len() || b.len() > 6 * a.len() {
        return false;
    }
    let is_string = |json: &str| json.starts_with('"');
    if is_string(a) && is_string(b) {
        return matches!((text::decode(a), text::decode(b)), (Some(a), Some(b)) if a == b);
    }
    significant_bytes(a).eq(significant_bytes(b))
}

/// The bytes of a JSON value without the white space between its tokens.
fn significant_bytes(json: &str) -> impl Iterator<Item = u8> {
    let (mut in_string, mut is_escaped) = (false, false);
    json.bytes().filter(move |byte| {
        let was_in_string = in_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !byte.is_ascii_whitespace()
    })
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
            event.set(name, map.next_value()?);
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

/// A key of a JSON object.
pub(super) enum Name<'a> {
    /// Borrowed where it holds no escapes.
    Text(Cow<'a, str>),
    /// It holds half of a surrogate pair, which no text can; the rest of it, clipped.
    NoText(String),
}

impl<'a> Name<'a> {
    fn of(bytes: Cow<'a, [u8]>) -> Self {
        let text = match bytes {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Cow::Borrowed(bytes)),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| Cow::Owned(error.into_bytes())),
        };
        text.map_or_else(|bytes| Self::NoText(text::clipped(&String::from_utf8_lossy(&bytes)).into_owned()), Self::Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    /// As bytes, since the parser would refuse the whole body for half of a surrogate pair in a string.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Name::of(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Name::of(Cow::Owned(bytes.to_vec())))
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
        assert_eq!(event.faults, [Fault::Conflict { first: "time", second: "ts" }]);
        assert!(event.get(Field::EventId).is_none());
    }

    #[test]
    fn values_agree_if_nothing_of_them_differs() {
        for (a, b) in [
            ("42", r#""42""#),
            (r#""\u0041b""#, r#""Ab""#),
            (r#"{"a": [1, "x y"]}"#, r#"{"a":[1,"x y"]}"#),
            (r#""\"""#, r#""\u0022""#),
        ] {
            assert!(agree(a, b) && agree(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("18446744073709551617", "18446744073709551618"),
            ("9007199254740993", "9007199254740992.0"),
            (r#"{"a":18446744073709551617}"#, r#"{"a": 18446744073709551618}"#),
            (r#"{"a":"x y"}"#, r#"{"a":"xy"}"#),
            (r#""\ud800""#, r#""\udc00""#),
        ] {
            assert!(!agree(a, b) && !agree(b, a), "{a} {b}");
        }
    }

    #[test]
    fn an_event_keeps_no_more_of_its_fields_than_may_be_stored() {
        let json = format!("{{{}}}", vec![r#""ts":1,"ts":2,"x":1"#; 100_000].join(","));
        let event: WireEvent<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(event.faults.len(), MAX_FAULTS);
        assert!(event.extra.len() < MAX_PROPERTIES_BYTES && event.extra_bytes > MAX_PROPERTIES_BYTES);
    }
}
