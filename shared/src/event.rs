//! One event in the queue: validated, with every alias resolved and every default filled in.
//!
//! The JSON of an [`Event`] is one line of a chunk. It differs from what clients send, which `ingest` of the API
//! reads, and from a row, which `store` of the worker writes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::day::Day;

/// A validated event. Texts are borrowed from the buffer that the event was read from, if they have no escapes.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// The id as the client wrote it. A UUID is in lower case with hyphens.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// What happened: 1 to 200 characters.
    #[serde(rename = "type", borrow)]
    pub event_type: Text<'a>,
    /// Who did it: a signed-in user.
    #[serde(rename = "user", borrow, default)]
    pub user_id: Option<Text<'a>>,
    /// Who did it: a device or browser not signed in.
    #[serde(rename = "anonymous", borrow, default)]
    pub anonymous_id: Option<Text<'a>>,
    /// The visit during which it happened.
    #[serde(rename = "session", borrow, default)]
    pub session_id: Option<Text<'a>>,
    /// The organisation on whose behalf it happened.
    #[serde(rename = "account", borrow, default)]
    pub account_id: Option<Text<'a>>,
    /// When it happened by the client's clock, in microseconds since 1970.
    #[serde(rename = "occurred_us")]
    pub occurred_at_us: i64,
    /// When the API received it, in microseconds since 1970.
    #[serde(rename = "received_us")]
    pub received_at_us: i64,
    /// Whether the client chose the id and sent no time. Then the id is unique over all days.
    #[serde(default)]
    pub undated: bool,
    /// A JSON object, exactly as the client sent it except for line breaks between tokens.
    #[serde(borrow, deserialize_with = "json_text")]
    pub properties: &'a str,
}

/// The text of any JSON value.
fn json_text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<&'a str, D::Error> {
    <&RawValue>::deserialize(deserializer).map(RawValue::get)
}

impl Event<'_> {
    /// Who is counted as active: the user, or else the anonymous id, or else the session.
    #[must_use]
    pub fn actor(&self) -> &str {
        let actor = self.user_id.as_ref().or(self.anonymous_id.as_ref()).or(self.session_id.as_ref());
        actor.map_or("", |text| &text.0)
    }

    /// Appends the line of the event, with its line feed.
    ///
    /// This runs for every accepted event, so it copies texts that need no escapes, which are nearly all, as
    /// they are.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        self.id.write(out);
        out.extend_from_slice(b",\"type\":");
        self.event_type.write(out);
        write_optional(out, b",\"user\":", self.user_id.as_ref());
        write_optional(out, b",\"anonymous\":", self.anonymous_id.as_ref());
        write_optional(out, b",\"session\":", self.session_id.as_ref());
        write_optional(out, b",\"account\":", self.account_id.as_ref());
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(b",\"occurred_us\":");
        out.extend_from_slice(digits.format(self.occurred_at_us).as_bytes());
        out.extend_from_slice(b",\"received_us\":");
        out.extend_from_slice(digits.format(self.received_at_us).as_bytes());
        if self.undated {
            out.extend_from_slice(b",\"undated\":true");
        }
        out.extend_from_slice(b",\"properties\":");
        out.extend_from_slice(self.properties.as_bytes());
        out.extend_from_slice(b"}\n");
    }

    /// The day that makes the event's identity together with its id and project.
    #[must_use]
    pub fn identity_day(&self) -> Day {
        if self.undated { Day::UNDATED } else { Day::utc_of(self.occurred_at_us) }
    }
}

/// A text of an event, borrowed when its JSON holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(pub Cow<'a, str>);

/// The length of the name is known to the compiler, which then copies it without a call.
fn write_optional<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], text: Option<&Text<'_>>) {
    if let Some(text) = text {
        out.extend_from_slice(name);
        text.write(out);
    }
}

impl Text<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let bytes = self.0.as_bytes();
        // There are no branches, so the compiler can use vector instructions.
        let has_escapes = bytes.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'));
        if has_escapes {
            // Writing into memory cannot fail.
            let _ = serde_json::to_writer(out, &self.0);
            return;
        }
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own implementation for Cow always copies inside an Option. This visitor can borrow.
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The identity of an event id. A UUID in upper or lower case is its own identity. The identity of any other text
/// is its hash.
///
/// The hash is a UUID of version 8 made of 122 bits of SHA-256, so it never equals a UUID of the versions that
/// clients generate.
#[must_use]
pub fn identity(id: &str) -> Uuid {
    parse_uuid(id).unwrap_or_else(|| hashed(&[b"text", id.as_bytes()]))
}

/// The id of the event at `index` of a batch sent with an idempotency key.
#[must_use]
pub fn derived_id(idempotency_key: &str, index: usize) -> Uuid {
    hashed(&[b"idempotency", idempotency_key.as_bytes(), &(index as u64).to_be_bytes()])
}

/// Reads a UUID in its usual form of 36 characters, in upper or lower case. Other forms are plain text.
#[must_use]
pub fn parse_uuid(id: &str) -> Option<Uuid> {
    // The parser also accepts other forms, which have other lengths.
    if id.len() == 36 { Uuid::try_parse(id).ok() } else { None }
}

fn hashed(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(proptest::string::string_regex("([a-z]|[\"\\\\\x00-\x1f\x7fé😀])*").expect("a regex"))
    }

    proptest! {
        #[test]
        fn a_line_reads_as_the_event_that_it_was_written_of(
            texts in [text(), text(), text(), text()],
            id: String,
            times: (i64, i64),
            undated: bool,
        ) {
            let [user_id, anonymous_id, session_id, account_id] =
                texts.each_ref().map(|text| text.as_deref().map(|text| Text(Cow::Borrowed(text))));
            let event = Event {
                event_type: Text(Cow::Borrowed(&id)),
                id: Text(Cow::Borrowed(&id)),
                user_id, anonymous_id, session_id, account_id,
                occurred_at_us: times.0,
                received_at_us: times.1,
                undated,
                properties: r#"{"a": [1, "\u0041"]}"#,
            };
            let mut line = Vec::new();
            event.write_line(&mut line);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let read: Event<'_> = serde_json::from_slice(&line).expect("a line is JSON");
            prop_assert_eq!(format!("{read:?}"), format!("{event:?}"));
        }
    }

    #[test]
    fn a_uuid_in_any_case_is_one_identity() {
        let lower = "7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11";
        assert_eq!(identity(lower), identity(&lower.to_uppercase()));
        assert_eq!(identity(lower).to_string(), lower);
    }

    #[test]
    fn any_other_text_is_its_hash() {
        let identities = ["evt_001", "evt_002", "EVT_001", "7b0e4a526a0f4c439d0b1f3f5f0f7a11"].map(identity);
        for (i, a) in identities.iter().enumerate() {
            assert_eq!(a.get_version_num(), 8);
            assert!(identities[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn ids_derived_from_a_key_differ_by_index_and_repeat_by_key() {
        assert_eq!(derived_id("k", 3), derived_id("k", 3));
        assert_ne!(derived_id("k", 3), derived_id("k", 4));
        assert_ne!(derived_id("k", 3), derived_id("l", 3));
    }
}
