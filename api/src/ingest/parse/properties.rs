//! Properties: the JSON object in which a client's own fields are kept.
//!
//! Its text is not changed, except that unknown fields of the event are added and line breaks between tokens
//! become spaces.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::value::RawValue;

use crate::ingest::parse::agreement::same;
use crate::ingest::parse::name::NamesAs;
use crate::ingest::parse::raw::Raw;
use crate::ingest::parse::text;

/// Largest properties in bytes: a sixteenth of the largest message of 1 MB.
pub(crate) const MAX_PROPERTIES_BYTES: usize = 64 * 1024;

/// The entry with this name in a JSON object, if it is a string that can be stored.
pub(crate) fn string_entry<'a>(object: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let entries = entries(object)?;
    let (_, value) = entries.into_iter().find(|(name, _)| name == wanted)?;
    text::decode(value.get()).filter(|text| value.get().starts_with('"') && !text.contains('\0'))
}

/// The entries of a JSON object, in order.
fn entries(object: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Entries;
    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(name) = map.next_key_seed(NamesAs::Bytes)? {
                let value = map.next_value()?;
                if let Some(name) = name.text() {
                    entries.push((name, value));
                }
            }
            Ok(entries)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(object), Entries).ok()
}

/// The object with the unknown fields added, except those whose names it already has.
///
/// # Errors
/// The name of an unknown field that was sent twice with different values. One of them would be lost.
pub(crate) fn merge<'n>(object: &str, extra: &'n [(Cow<'_, str>, Raw<'_>)]) -> Result<String, &'n str> {
    let present = entries(object).unwrap_or_default();
    // The values of the fields that were added, and `None` for the entries of the object itself.
    let mut known: HashMap<&str, Option<&str>> = present.iter().map(|(name, _)| (name.as_ref(), None)).collect();
    let mut merged = object.trim_end().strip_suffix('}').unwrap_or(object).trim_end().to_owned();
    if present.is_empty() {
        merged = "{".to_owned();
    }
    for (name, value) in extra {
        match known.entry(name) {
            Entry::Occupied(entry) if entry.get().is_some_and(|first| !same(first, value.get())) => return Err(name),
            Entry::Occupied(_) => continue,
            Entry::Vacant(entry) => drop(entry.insert(Some(value.get()))),
        }
        if merged.len() > 1 {
            merged.push(',');
        }
        merged.push_str(&serde_json::Value::from(name.as_ref()).to_string());
        merged.push(':');
        merged.push_str(value.get());
    }
    merged.push('}');
    Ok(one_line(&merged))
}

/// The value with a space instead of every line break between tokens, because an event is one line of a chunk.
/// Strings in JSON contain no line breaks.
pub(crate) fn without_line_breaks(value: Raw<'_>) -> Cow<'_, str> {
    let json = value.get();
    if !value.may_have_line_breaks() || memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    Cow::Owned(one_line(json))
}

fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}
