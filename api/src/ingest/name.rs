//! Names: the keys of an event, told apart as they are read.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{Deserialize, Deserializer, Visitor};

use super::wire::Field;
use crate::error::clipped;

/// A key of a JSON object.
pub(super) enum Name<'a> {
    /// A name of a field that has a meaning of its own.
    Known(Field, &'static str),
    /// Any other, borrowed where it holds no escapes.
    Other(Cow<'a, str>),
    /// It holds half of a surrogate pair, which no text can; clipped, with that half as an escape.
    NoText(String),
}

impl<'a> Name<'a> {
    /// The name as a text, if it is one.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Known(_, name) => Some(Cow::Borrowed(name)),
            Self::Other(name) => Some(name),
            Self::NoText(_) => None,
        }
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

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        // The parser leaves this to whoever asks for bytes.
        if bytes.iter().any(|byte| *byte < b' ') {
            return Err(E::custom("control character in the name of a field"));
        }
        Ok(match Field::named(bytes) {
            Some((field, name)) => Name::Known(field, name),
            None => std::str::from_utf8(bytes).map_or_else(|_| Name::NoText(shown(bytes)), |name| Name::Other(name.into())),
        })
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(match Field::named(bytes) {
            Some((field, name)) => Name::Known(field, name),
            None => {
                String::from_utf8(bytes.to_vec()).map_or_else(|_| Name::NoText(shown(bytes)), |name| Name::Other(name.into()))
            }
        })
    }
}

/// As much of a name that is no text as an answer repeats.
fn shown(mut bytes: &[u8]) -> String {
    let mut shown = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        let (text, rest) = bytes.split_at(error.valid_up_to());
        shown += &clipped(&String::from_utf8_lossy(text));
        // The parser writes each half as the three bytes that UTF-8 would have for it.
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

    fn shown_of(json: &str) -> String {
        match serde_json::from_str(json).unwrap() {
            Name::NoText(shown) => shown,
            Name::Known(_, name) => format!("known {name}"),
            Name::Other(name) => format!("other {name}"),
        }
    }

    #[test]
    fn a_name_with_a_bare_control_character_is_no_json() {
        assert!(serde_json::from_str::<Name<'_>>("\"a\nb\"").is_err());
        assert_eq!(shown_of(r#""a\nb""#), "other a\nb");
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
