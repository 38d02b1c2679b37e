//! The payload: a body of one of four shapes, cut into events in one pass.
//!
//! JSON contains one event, an array of events, or an envelope `{"events":[…]}`. NDJSON contains one event per
//! line. Each event is passed to a callback at once, so that no body is held in memory twice. Usual bodies are read by
//! [`quick`](super::quick) instead.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::ingest::parse::name::{Name, NamesAs};
use crate::ingest::parse::quick::{QuickReader, Sink};
use crate::ingest::parse::wire::{ReadEvent, WireEvent};

/// Number of events between two checks for cancellation.
const EVENTS_PER_LOOK: usize = 64;

/// How the body separates events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Ndjson,
}

impl Format {
    /// The format that a `Content-Type` names; JSON if there is no `Content-Type`.
    pub(crate) fn of_content_type(content_type: Option<&str>) -> Option<Self> {
        let essence =
            content_type.unwrap_or("application/json").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Some(Self::Ndjson),
            "application/json" | "text/json" | "text/plain" => Some(Self::Json),
            _ if essence.starts_with("application/") && essence.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why a body cannot be cut into events.
#[derive(Debug)]
pub(crate) enum PayloadError {
    /// It is not JSON; the message says where.
    Syntax(String),
    /// `events` of the envelope is not an array.
    EnvelopeNotArray,
    /// The envelope has this field in addition to `events`.
    EnvelopeField(String),
    /// More events than allowed.
    TooManyEvents,
    /// Nobody waits for the result any longer.
    Cancelled,
    /// The quick reader does not know this body.
    Unusual,
}

/// How thoroughly to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Usual bodies only.
    Quick,
    /// Every body that is JSON and has a meaning.
    Whole,
    /// The syntax of the whole body, and then of each event of an array, is checked before it is read. This takes
    /// longer. A name or value that is well-formed but has no meaning, such as the number 1e999, then makes only its own
    /// event invalid instead of the whole body.
    OneByOne,
}

/// How to read a body, and how far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'t> {
    pub(crate) format: Format,
    pub(crate) max_events: usize,
    pub(crate) how: How,
    /// Checked from time to time.
    pub(crate) cancel: &'t CancellationToken,
}

/// Passes every event of the body to `sink`, or the reason why that event cannot be read.
pub(crate) fn read<'a>(text: &'a str, reading: Reading<'_>, sink: Sink<'_, 'a>) -> Result<(), PayloadError> {
    if reading.how == How::Quick || reading.format == Format::Ndjson {
        return QuickReader::new(reading).advance(text, true, sink).map(drop);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Cutter { sink, counter: Counter::new(reading), how: reading.how, fault: None }.document(text)
}

/// Reads the event of a line of NDJSON, or says why it is none.
pub(crate) fn event_of_line(line: &str) -> Result<WireEvent<'_>, String> {
    let event = ReadEvent(NamesAs::Strings).read(line).or_else(|_| check(line).and_then(|()| lenient(line)));
    event.map_err(|error| format!("the line is not JSON: {error}"))
}

/// Reads an event from a text that is known to be JSON. Values other than objects are not read, because the
/// parser would still refuse the number 1e999.
fn lenient(json: &str) -> serde_json::Result<WireEvent<'_>> {
    if json.trim_ascii_start().starts_with('{') { ReadEvent(NamesAs::Bytes).read(json) } else { Ok(WireEvent::no_object()) }
}

fn check(json: &str) -> serde_json::Result<()> {
    serde_json::from_str::<IgnoredAny>(json).map(drop)
}

/// Counts the events of a body.
#[derive(Debug)]
pub(crate) struct Counter<'t> {
    events: usize,
    max_events: usize,
    cancel: &'t CancellationToken,
}

impl<'t> Counter<'t> {
    pub(crate) fn new(reading: Reading<'t>) -> Self {
        Self { events: 0, max_events: reading.max_events, cancel: reading.cancel }
    }

    /// Counts one more event.
    ///
    /// # Errors
    /// [`PayloadError::TooManyEvents`] or [`PayloadError::Cancelled`].
    pub(crate) fn count(&mut self) -> Result<(), PayloadError> {
        self.events += 1;
        if self.events > self.max_events {
            return Err(PayloadError::TooManyEvents);
        }
        if self.events % EVENTS_PER_LOOK == 1 && self.cancel.is_cancelled() {
            return Err(PayloadError::Cancelled);
        }
        Ok(())
    }
}

/// Counts the events on their way to the sink.
struct Cutter<'s, 'a> {
    sink: Sink<'s, 'a>,
    counter: Counter<'s>,
    how: How,
    /// Why the reading ended, unless it was a syntax error.
    fault: Option<PayloadError>,
}

impl<'a> Cutter<'_, 'a> {
    fn document(&mut self, text: &'a str) -> Result<(), PayloadError> {
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        // For a value of another type, the parser's error would repeat that value, however long it is.
        let is_container = text.trim_ascii_start().starts_with(['{', '[']);
        if self.how == How::OneByOne || !is_container {
            check(text).map_err(|error| PayloadError::Syntax(error.to_string()))?;
        }
        if !is_container {
            self.counter.count()?;
            (self.sink)(Ok(WireEvent::no_object()));
            return Ok(());
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let result = Document(self).deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match (self.fault.take(), result) {
            (Some(fault), _) => Err(fault),
            (None, result) => result.map_err(|error| PayloadError::Syntax(error.to_string())),
        }
    }

    /// Records the fault and returns an error that makes the parser stop.
    fn fail<E: serde::de::Error>(&mut self, fault: PayloadError) -> E {
        self.fault = Some(fault);
        E::custom("stopped")
    }
}

/// The whole body: an array, an envelope or a single event.
struct Document<'c, 's, 'a>(&'c mut Cutter<'s, 'a>);

impl<'a> DeserializeSeed<'a> for Document<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Document<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event, an array of events, or an object with the array events")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, seq: A) -> Result<(), A::Error> {
        Events(self.0).visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let names = if self.0.how == How::OneByOne { NamesAs::Bytes } else { NamesAs::Strings };
        let mut single = WireEvent::default();
        let mut is_envelope = false;
        while let Some(name) = map.next_key_seed(names)? {
            if matches!(&name, Name::Other(name) if name == "events") {
                is_envelope = true;
                map.next_value_seed(Events(self.0))?;
            } else {
                single.set(name, map.next_value::<&RawValue>()?.into());
            }
        }
        match (is_envelope, single.any_name()) {
            (true, None) => Ok(()),
            // To ignore the field would lose data, and to guess where it belongs would be worse.
            (true, Some(name)) => {
                let name = name.into_owned();
                Err(self.0.fail(PayloadError::EnvelopeField(name)))
            }
            (false, _) => {
                self.0.counter.count().map_err(|fault| self.0.fail(fault))?;
                (self.0.sink)(Ok(single));
                Ok(())
            }
        }
    }
}

/// An array of events.
struct Events<'c, 's, 'a>(&'c mut Cutter<'s, 'a>);

impl<'a> DeserializeSeed<'a> for Events<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        let cutter = self.0;
        deserializer.deserialize_any(Events(cutter))
    }
}

impl<'a> Visitor<'a> for Events<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.0.how == How::OneByOne {
            while let Some(raw) = seq.next_element::<&RawValue>()? {
                self.0.counter.count().map_err(|fault| self.0.fail(fault))?;
                (self.0.sink)(lenient(raw.get()).map_err(|error| format!("the event cannot be read: {error}")));
            }
            return Ok(());
        }
        while let Some(event) = seq.next_element_seed(ReadEvent(NamesAs::Strings))? {
            self.0.counter.count().map_err(|fault| self.0.fail(fault))?;
            (self.0.sink)(Ok(event));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<(), A::Error> {
        Err(self.0.fail(PayloadError::EnvelopeNotArray))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(self.0.fail(PayloadError::EnvelopeNotArray))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.visit_unit()
    }
}
