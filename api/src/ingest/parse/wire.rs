//! The wire: events as clients send them, before they are validated.
//!
//! A [`WireEvent`] holds the values of one event as raw JSON, by field. A value of the wrong type is no error
//! here, so an invalid event does not affect its neighbours. `validate` checks the values.

use std::borrow::Cow;
use std::fmt;

use rollcall_shared::field::Field;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::parse::agreement::agree;
use crate::ingest::parse::name::{Name, NamesAs};
use crate::ingest::parse::properties::MAX_PROPERTIES_BYTES;
use crate::ingest::parse::raw::Raw;
use crate::problem::clipped;

/// A value with the name that the client used for the field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: Raw<'a>,
}

/// What is wrong with the names of an event's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Two names of one field, or the same name twice, have different values.
    Conflict { first: &'static str, second: &'static str },
    /// A name contains half of a surrogate pair, so it is not a text. This is the name to show, clipped.
    NoText(String),
}

/// Most faults that are recorded for one event. Twenty faults usually have one cause.
pub(crate) const MAX_FAULTS: usize = 20;

/// One event as the client sent it.
#[derive(Debug, Default)]
pub(crate) struct WireEvent<'a> {
    fields: [Option<Named<'a>>; Field::COUNT],
    /// Unknown fields, in order.
    pub(crate) extra: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// Bytes of the names and values of unknown fields. Beyond [`MAX_PROPERTIES_BYTES`] they are only counted.
    pub(crate) extra_bytes: usize,
    pub(crate) faults: Vec<Fault>,
    /// Whether the value was not a JSON object.
    pub(crate) is_no_object: bool,
}

impl<'a> WireEvent<'a> {
    /// The event for a value that is not a JSON object.
    pub(crate) fn no_object() -> Self {
        Self { is_no_object: true, ..Self::default() }
    }

    /// The value of a field, whichever of its names was used. A null counts as absent.
    pub(crate) fn get(&self, field: Field) -> Option<Named<'a>> {
        self.fields[field as usize]
    }

    /// The name of any field that was sent, clipped.
    pub(crate) fn any_name(&self) -> Option<Cow<'_, str>> {
        let no_text = self.faults.iter().find_map(|fault| match fault {
            Fault::NoText(shown) => Some(shown.as_str()),
            Fault::Conflict { .. } => None,
        });
        let known = self.fields.iter().flatten().next().map(|named| named.name);
        known.or(no_text).or_else(|| self.extra.first().map(|(name, _)| name.as_ref())).map(clipped)
    }

    /// Adds one entry of the JSON object.
    pub(crate) fn set(&mut self, name: Name<'a>, value: Raw<'a>) {
        let (field, name) = match name {
            Name::Known(field, name) => (field, name),
            Name::Other(name) => return self.set_extra(name, value),
            Name::NoText(shown) => return self.note(Fault::NoText(shown)),
        };
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

    /// Keeps only as many fields as the properties may hold, so that an event takes no more memory than its
    /// text, and counts the bytes of the others.
    fn set_extra(&mut self, name: Cow<'a, str>, value: Raw<'a>) {
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

/// Reads any JSON value as an event, with its names read in this way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadEvent(pub(crate) NamesAs);

impl<'de> DeserializeSeed<'de> for ReadEvent {
    type Value = WireEvent<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<WireEvent<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ReadEvent {
    /// Reads a text that holds one event and nothing else.
    ///
    /// # Errors
    /// If it is not JSON.
    pub(crate) fn read(self, text: &str) -> serde_json::Result<WireEvent<'_>> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let event = self.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(event)
    }

    fn no_object<'de, E>() -> Result<WireEvent<'de>, E> {
        Ok(WireEvent::no_object())
    }
}

impl<'de> Visitor<'de> for ReadEvent {
    type Value = WireEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut event = WireEvent::default();
        while let Some(name) = map.next_key_seed(self.0)? {
            event.set(name, map.next_value::<&RawValue>()?.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_agree_are_one_and_names_that_differ_are_told() {
        let event = ReadEvent(NamesAs::Strings).read(r#"{"user_id":42,"userId":"42","time":1,"ts":2,"uuid":null}"#).unwrap();
        assert_eq!(event.get(Field::UserId).unwrap().name, "user_id");
        assert_eq!(event.faults, [Fault::Conflict { first: "time", second: "ts" }]);
        assert!(event.get(Field::EventId).is_none());
    }

    #[test]
    fn an_event_keeps_no_more_of_its_fields_than_may_be_stored() {
        let json = format!("{{{}}}", vec![r#""ts":1,"ts":2,"x":1"#; 100_000].join(","));
        let event = ReadEvent(NamesAs::Strings).read(&json).unwrap();
        assert_eq!(event.faults.len(), MAX_FAULTS);
        assert!(event.extra.len() < MAX_PROPERTIES_BYTES && event.extra_bytes > MAX_PROPERTIES_BYTES);
    }
}
