//! Names: the keys of an event, recognised while they are read.

use std::borrow::Cow;
use std::fmt::{self, Write};

use rollcall_shared::field::Field;
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use crate::problem::clipped;

/// A key of a JSON object.
pub(crate) enum Name<'a> {
    /// A name of a field of events.
    Known(Field, &'static str),
    /// Any other name, borrowed if it contains no escapes.
    Other(Cow<'a, str>),
    /// A name that contains half of a surrogate pair, so it is not a text. The string is the name for error
    /// messages: clipped, with that half as an escape.
    NoText(String),
}

impl<'a> Name<'a> {
    /// A name without escapes.
    pub(crate) fn of_text(name: &'a str) -> Self {
        known(name.as_bytes()).unwrap_or(Name::Other(Cow::Borrowed(name)))
    }

    /// The name, if it is a text.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Known(_, name) => Some(Cow::Borrowed(name)),
            Self::Other(name) => Some(name),
            Self::NoText(_) => None,
        }
    }
}

/// How names are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamesAs {
    /// As strings. The parser checks them and refuses the whole document if one contains half of a surrogate
    /// pair.
    Strings,
    /// As bytes. A name that is not a text is then a problem of its event only. The parser does not look for
    /// unescaped control characters in bytes, so the document must be known to be JSON.
    Bytes,
}

impl NamesAs {
    /// Reads a JSON string; `None` if it cannot be read.
    pub(crate) fn read(self, json: &str) -> Option<Name<'_>> {
        self.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()
    }
}

impl<'de> DeserializeSeed<'de> for NamesAs {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        match self {
            Self::Strings => deserializer.deserialize_str(NameVisitor),
            Self::Bytes => deserializer.deserialize_bytes(NameVisitor),
        }
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Name::of_text(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(known(name.as_bytes()).unwrap_or_else(|| Name::Other(Cow::Owned(name.to_owned()))))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        match std::str::from_utf8(bytes) {
            Ok(name) => self.visit_borrowed_str(name),
            Err(_) => Ok(Name::NoText(shown(bytes))),
        }
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        match std::str::from_utf8(bytes) {
            Ok(name) => self.visit_str(name),
            Err(_) => Ok(Name::NoText(shown(bytes))),
        }
    }
}

fn known<'a>(name: &[u8]) -> Option<Name<'a>> {
    Field::named(name).map(|(field, name)| Name::Known(field, name))
}

/// A name that is not a text, clipped to what an answer repeats.
fn shown(mut bytes: &[u8]) -> String {
    let mut shown = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        let (text, rest) = bytes.split_at(error.valid_up_to());
        shown += &clipped(&String::from_utf8_lossy(text));
        // The parser writes each half as the three bytes that UTF-8 would use for its number.
        let &[_, middle, last, ref rest @ ..] = rest else { return shown };
        let half = 0xd000 | u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f);
        // Writing to a string cannot fail.
        let _ = write!(shown, "\\u{half:04x}");
        if clipped(&shown).len() < shown.len() {
            return clipped(&shown).into_owned();
        }
        bytes = rest;
    }
    shown += &String::from_utf8_lossy(bytes);
    clipped(&shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(json: &str, names: NamesAs) -> serde_json::Result<String> {
        let name = names.deserialize(&mut serde_json::Deserializer::from_str(json))?;
        Ok(match name {
            Name::NoText(shown) => shown,
            Name::Known(_, name) => format!("known {name}"),
            Name::Other(name) => format!("other {name}"),
        })
    }

    fn shown_of(json: &str) -> String {
        name_of(json, NamesAs::Bytes).unwrap()
    }

    #[test]
    fn as_a_string_a_name_is_text_without_bare_control_characters() {
        for json in ["\"a\nb\"", "\"a\\u0041\nb\"", r#""\ud800""#] {
            assert!(name_of(json, NamesAs::Strings).is_err(), "{json}");
        }
        for (json, expected) in [(r#""a\nb""#, "other a\nb"), (r#""\u0074s""#, "known ts"), (r#""ts""#, "known ts")] {
            assert_eq!(name_of(json, NamesAs::Strings).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn halves_of_pairs_are_shown_as_escapes() {
        for (json, expected) in [
            (r#""\ud800""#, r"\ud800"),
            (r#""a\uDBFFb\udfff\udc00ö""#, r"a\udbffb\udfff\udc00ö"),
            (r#""\ud83d\ude00""#, "other 😀"),
            (r#""\u0074s""#, "known ts"),
            (r#""ts""#, "known ts"),
            (r#""""#, "other "),
        ] {
            assert_eq!(shown_of(json), expected, "{json}");
        }
        assert!(shown_of(&format!(r#""{}""#, r"\ud800".repeat(1_000_000))).len() < 300);
        assert!(shown_of(&format!(r#""\ud800{}""#, "x".repeat(1_000_000))).len() < 300);
    }
}
