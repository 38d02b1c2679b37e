//! The judge: reads the fields of one event, and collects what is wrong with them.

use std::borrow::Cow;

use rollcall_shared::event::parse_uuid;
use rollcall_shared::field::Field;

use crate::ingest::parse::properties::{MAX_PROPERTIES_BYTES, merge, string_entry, without_line_breaks};
use crate::ingest::parse::raw::Raw;
use crate::ingest::parse::text;
use crate::ingest::parse::time::{self, TimeError};
use crate::ingest::parse::validate::Rules;
use crate::ingest::parse::value::Unfit;
use crate::ingest::parse::wire::{Fault, Named, WireEvent};
use crate::problem::{EventPlace, Problem, clipped};

/// Longest event type and longest id of a user, session or account, in characters.
const MAX_CHARACTERS: usize = 200;
/// Longest event id in bytes.
const MAX_EVENT_ID_BYTES: usize = 200;
/// Most levels of nesting in properties. The object itself is level 1.
const MAX_PROPERTIES_DEPTH: usize = 32;
/// Most problems that are listed for one event.
const MAX_PROBLEMS: usize = 20;

/// Collects the problems of an event while its fields are read.
pub(super) struct Judge<'r> {
    pub(super) problems: Vec<Problem>,
    rules: Rules<'r>,
}

impl<'r> Judge<'r> {
    pub(super) fn new(rules: Rules<'r>) -> Self {
        Self { problems: Vec::new(), rules }
    }

    pub(super) fn report(&mut self, field: &str, code: &'static str, message: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            let field = clipped(field).into_owned();
            self.problems.push(Problem { event: None, field, code, message: message.to_owned() });
        }
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Conflict { first, second } if first == second => {
                self.report(second, "conflicting_fields", &format!("{first} is sent twice with different values; send it once"));
            }
            Fault::Conflict { first, second } => {
                let message = format!("{first} and {second} are names of one field and disagree; send one of them");
                self.report(second, "conflicting_fields", &message);
            }
            Fault::NoText(name) => self.report(name, "invalid_text", "the name contains half of a surrogate pair"),
        }
    }

    pub(super) fn verdict(self, index: usize, event_id: Option<&str>) -> Vec<Problem> {
        let event = EventPlace { index, event_id: event_id.map(str::to_owned) };
        self.problems.into_iter().map(|problem| Problem { event: Some(event.clone()), ..problem }).collect()
    }

    /// A string that PostgreSQL can hold.
    fn string<'a>(&mut self, named: Named<'a>, expected: &str) -> Option<Cow<'a, str>> {
        let json = named.value.get();
        if !json.starts_with('"') {
            self.report(named.name, "wrong_type", &format!("must be {expected}"));
            return None;
        }
        let storable = named.value.storable_text();
        if storable.is_none() {
            self.report(named.name, "invalid_text", "contains \\u0000 or half of a surrogate pair");
        }
        storable
    }

    pub(super) fn event_id<'a>(&mut self, named: Named<'a>) -> Option<Cow<'a, str>> {
        let id = self.string(named, "a string of 1 to 200 bytes")?;
        if id.is_empty() || id.len() > MAX_EVENT_ID_BYTES {
            self.report(named.name, "wrong_length", &format!("must be 1 to {MAX_EVENT_ID_BYTES} bytes, is {}", id.len()));
            return None;
        }
        if has_control_characters(&id) {
            self.report(named.name, "invalid_text", "must not hold control characters");
            return None;
        }
        // UUIDs in upper and lower case are the same id, so they are written in the same case.
        let is_upper = id.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase());
        Some(parse_uuid(&id).filter(|_| is_upper).map_or(id, |uuid| Cow::Owned(uuid.to_string())))
    }

    pub(super) fn event_type<'a>(&mut self, wire: &WireEvent<'a>) -> Option<Cow<'a, str>> {
        if let Some(named) = wire.get(Field::EventType) {
            let event_type = self.string(named, "a string of 1 to 200 characters")?;
            return self.bounded(named.name, event_type);
        }
        let properties = wire.get(Field::Properties).filter(|properties| properties.value.get().len() <= MAX_PROPERTIES_BYTES);
        let action = properties.and_then(|properties| string_entry(properties.value.get(), "action"));
        match (properties, action) {
            (Some(properties), Some(action)) => self.bounded(&format!("{}.action", properties.name), action),
            _ => {
                self.report("event_type", "required", "is required, unless properties.action is a string");
                None
            }
        }
    }

    /// A string, or an integer as its decimal text.
    pub(super) fn id<'a>(&mut self, named: Option<Named<'a>>) -> Option<Cow<'a, str>> {
        let named = named?;
        let json = named.value.get();
        let digits = json.strip_prefix('-').unwrap_or(json);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            // The digits are not converted to a number, so integers beyond 2^53 keep their last digits.
            return self.bounded(named.name, Cow::Borrowed(if digits == "0" { "0" } else { json }));
        }
        let id = self.string(named, "a string of 1 to 200 characters or an integer")?;
        self.bounded(named.name, id)
    }

    fn bounded<'a>(&mut self, name: &str, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
        // A text has at least as many bytes as characters, so characters are counted only in long texts.
        let characters = if text.len() <= MAX_CHARACTERS { text.len() } else { text.chars().count() };
        if (1..=MAX_CHARACTERS).contains(&characters) {
            return Some(text);
        }
        self.report(name, "wrong_length", &format!("must be 1 to {MAX_CHARACTERS} characters, is {characters}"));
        None
    }

    /// The instant in microseconds since 1970; `None` if it was reported as wrong.
    pub(super) fn time(&mut self, named: Named<'_>) -> Option<i64> {
        let json = named.value.get();
        let result = match json.as_bytes().first() {
            Some(b'"') => {
                text::decode(json).map_or(Err(TimeError::Syntax), |text| time::of_text(&text, self.rules.received_at_us))
            }
            Some(b'-' | b'0'..=b'9') => time::of_number(json, self.rules.received_at_us),
            _ => Err(TimeError::Syntax),
        };
        match result {
            Ok(instant_us) => self.kept(named.name, instant_us),
            Err(TimeError::Syntax) => {
                self.report(
                    named.name,
                    "invalid_time",
                    "must be RFC 3339, such as 2025-10-01T10:00:00Z, or Unix seconds or milliseconds as a number",
                );
                None
            }
            Err(TimeError::OutOfRange) => {
                self.report(named.name, "out_of_range", "must lie between 1970-01-01 and 24 hours ahead of now");
                None
            }
        }
    }

    /// The instant, unless the project does not keep events of its day any more.
    pub(super) fn kept(&mut self, name: &str, instant_us: i64) -> Option<i64> {
        let horizon = self.rules.horizon.filter(|horizon| horizon.is_after(instant_us));
        if let Some(horizon) = horizon {
            self.report(name, "expired", &horizon.rule());
            return None;
        }
        Some(instant_us)
    }

    /// The properties with every unknown field of the event in them.
    pub(super) fn properties<'a>(&mut self, wire: &WireEvent<'a>) -> Option<Cow<'a, str>> {
        let named = wire.get(Field::Properties);
        let name = named.map_or(Field::Properties.name(), |named| named.name);
        let raw = named.map_or("{}", |named| named.value.get());
        if !raw.starts_with('{') {
            self.report(name, "wrong_type", "must be a JSON object");
            return None;
        }
        // The size is checked first, so nothing large is examined any further.
        let bytes = raw.len().max(wire.extra_bytes);
        if bytes > MAX_PROPERTIES_BYTES {
            return self.too_large(name, bytes);
        }
        let problems_before = self.problems.len();
        if let Some(named) = named {
            self.keepable(name, named.value, MAX_PROPERTIES_DEPTH);
        }
        for (name, value) in &wire.extra {
            if self.problems.len() >= MAX_PROBLEMS {
                break;
            }
            self.name(name);
            // It becomes an entry of the properties, one level deeper.
            self.keepable(name, *value, MAX_PROPERTIES_DEPTH - 1);
        }
        if self.problems.len() > problems_before {
            return None;
        }
        let merged = match named {
            Some(named) if wire.extra.is_empty() => without_line_breaks(named.value),
            _ => match merge(raw, &wire.extra) {
                Ok(merged) => Cow::Owned(merged),
                Err(twice) => {
                    self.report(twice, "conflicting_fields", "is sent twice with different values; send it once");
                    return None;
                }
            },
        };
        match merged.len() {
            bytes if bytes > MAX_PROPERTIES_BYTES => self.too_large(name, bytes),
            _ => Some(merged),
        }
    }

    fn too_large<T>(&mut self, name: &str, bytes: usize) -> Option<T> {
        self.report(
            name,
            "too_large",
            &format!("must be at most {MAX_PROPERTIES_BYTES} bytes with all unknown fields, is at least {bytes}"),
        );
        None
    }

    /// The name of an unknown field.
    fn name(&mut self, name: &str) {
        if name.contains('\0') {
            self.report(&clipped(name).escape_debug().to_string(), "invalid_text", "the name contains \\u0000");
        }
    }

    /// A value that becomes part of the properties.
    fn keepable(&mut self, name: &str, value: Raw<'_>, max_depth: usize) {
        if value.is_deeper_than(max_depth) {
            return self.report(name, "too_deep", &format!("must be nested at most {max_depth} levels deep"));
        }
        match value.find_unfit(name) {
            None => {}
            Some((path, Unfit::Text)) => {
                self.report(&path, "invalid_text", "contains \\u0000 or half of a surrogate pair");
            }
            Some((path, Unfit::Number)) => {
                self.report(&path, "out_of_range", "must be a number that a 64-bit float can hold; send others as strings");
            }
        }
    }
}

/// Whether a text has control characters, of ASCII or of Unicode.
fn has_control_characters(text: &str) -> bool {
    // There are no branches, so the compiler can use vector instructions. Nearly all ids are ASCII.
    let is_other = |byte: u8| !(b' '..=b'~').contains(&byte);
    text.bytes().fold(false, |found, byte| found | is_other(byte)) && text.chars().any(char::is_control)
}
