//! Functions for the fuzz targets of the decompressors, the parser and the validator, with assertions about
//! any body.

use std::time::Duration;

use rollcall_shared::event::{Event, parse_uuid};
use rollcall_shared::queue::chunk;
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::ingest::body::encoding::Encoding;
use crate::ingest::parse::payload::{Format, How};
use crate::ingest::prepare::{BatchIdentity, Lines, Preparation, Prepared, arriving, prepare_from};
use crate::settings::RequestLimits;

const LIMITS: RequestLimits = RequestLimits { max_events: 100_000, max_body_bytes: 64 << 20 };

/// The server's clock: 2026-11-21.
const RECEIVED_AT: Duration = Duration::from_secs(1_795_255_200);
const RECEIVED_AT_US: i64 = RECEIVED_AT.as_micros() as i64;

/// Maximum size of one problem in bytes: a field or message of 200 characters, and some words.
const MAX_PROBLEM_BYTES: usize = 200 * 4 + 400;

/// Reads and validates a body; returns the lines of the valid events and the number of invalid ones, or
/// `None` if the body was refused as a whole.
///
/// # Panics
/// If an assertion fails: problems are few and short, valid events have the values that `serde_json` reads,
/// and the result for an event depends neither on the shape of the body nor on the way in which it is read.
pub fn judge(body: &[u8], is_ndjson: bool) -> Option<(Vec<u8>, usize)> {
    let format = if is_ndjson { Format::Ndjson } else { Format::Json };
    let judged = judge_as(body, format)?;
    let lines = std::str::from_utf8(&judged.0).expect("lines are text");
    let text = std::str::from_utf8(body).expect("what was read is text");
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
    let is_event = text.starts_with('{') && !is_ndjson;
    if is_event && lines.lines().count() + judged.1 == 1 && !text.contains("events") {
        same_verdict(text, &judged);
        if judged.1 == 0 {
            let event = chunk::events(&judged.0).next().expect("one event").expect("an event");
            let sent = serde_json::from_str(text).expect("what is accepted is JSON to others too");
            holds_what_was_sent(&event, &sent);
        }
    }
    Some(judged)
}

/// Decompresses a body up to the limit of a request. `encoding` selects gzip, deflate, br or zstd by number.
/// Returns the number of decompressed bytes.
///
/// # Panics
/// Only if a decompressor does.
pub fn decompress(encoding: u8, body: &[u8]) -> usize {
    const MAX_BYTES: u64 = 1 << 20;
    let encodings = [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd];
    let mut source = body;
    let mut reader = encodings[usize::from(encoding) % encodings.len()].reader(&mut source).take(MAX_BYTES);
    let mut out = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _ = runtime.block_on(reader.read_to_end(&mut out));
    assert!(out.len() as u64 <= MAX_BYTES);
    out.len()
}

/// How a body may be read.
fn readings(body: &[u8], format: Format) -> [Result<Prepared, ApiError>; 4] {
    let (cancel, identity) = (CancellationToken::new(), BatchIdentity::new(Some("k".to_owned()), RECEIVED_AT));
    let preparation = Preparation { format, limits: LIMITS, identity, horizon: None, event_rules: None };
    let arriving = |pieces: usize| arriving::prepare_pieces(body.chunks((body.len() / pieces).max(1)), &preparation, &cancel);
    [
        prepare_from(How::Quick, body, &preparation, &cancel),
        prepare_from(How::Whole, body, &preparation, &cancel),
        arriving(3),
        arriving(60),
    ]
}

fn lines_of(lines: &Lines) -> Vec<u8> {
    match lines {
        Lines::Few(lines) => lines.clone(),
        Lines::Chunks(chunks) => {
            let lines = |chunk: &chunk::Chunk| chunk::decompress(Some(&chunk.headers()), &chunk.payload).expect("our own chunk");
            chunks.iter().flat_map(lines).collect()
        }
    }
}

/// Everything that a client or a worker can see of it.
fn outcome(read: &Result<Prepared, ApiError>) -> String {
    match read {
        Ok(Prepared { lines, events, event_ids, invalid_events, problems, .. }) => {
            format!("{events} {invalid_events} {event_ids:?} {problems:?} {}", String::from_utf8_lossy(&lines_of(lines)))
        }
        Err(error) => format!("{error:?}"),
    }
}

fn judge_as(body: &[u8], format: Format) -> Option<(Vec<u8>, usize)> {
    let [read, others @ ..] = readings(body, format);
    for other in &others {
        assert_eq!(outcome(&read), outcome(other), "{}", String::from_utf8_lossy(body));
    }
    let prepared = match read {
        Ok(prepared) => prepared,
        Err(error) => {
            assert!(!matches!(error, ApiError::Internal(_)), "{error:?}");
            assert!(error.to_string().len() <= MAX_PROBLEM_BYTES, "a long answer: {error}");
            return None;
        }
    };
    problems_are_few_and_short(&prepared);
    let lines = lines_of(&prepared.lines);
    let events: Vec<_> = chunk::events(&lines).map(|event| event.expect("what was accepted is an event")).collect();
    assert_eq!(events.len(), prepared.events);
    for event in &events {
        let properties: Value = serde_json::from_str(event.properties).expect("properties that others can read");
        assert!(properties.is_object() && event.properties.len() <= 64 * 1024);
        assert!((0..=RECEIVED_AT_US + 24 * 3600 * 1_000_000).contains(&event.occurred_at_us));
        assert!(!event.actor().is_empty() && !event.event_type.0.is_empty() && !event.id.0.is_empty());
    }
    Some((lines, prepared.invalid_events))
}

fn problems_are_few_and_short(prepared: &Prepared) {
    let problems = &prepared.problems;
    let listed = prepared.invalid_events.min(100);
    assert!((listed..=20 * listed).contains(&problems.len()), "{} problems of {listed} events", problems.len());
    for problem in problems {
        assert!(problem.field.len() + problem.message.len() <= MAX_PROBLEM_BYTES, "{problem:?}");
    }
}

/// Asserts that the same event has the same result in an array, in an envelope and as NDJSON.
fn same_verdict(event: &str, judged: &(Vec<u8>, usize)) {
    for body in [format!("[{event}]"), format!(r#"{{"events":[{event}]}}"#)] {
        assert_eq!(judge_as(body.as_bytes(), Format::Json).as_ref(), Some(judged), "{body}");
    }
    if !event.contains('\n') {
        assert_eq!(judge_as(event.as_bytes(), Format::Ndjson).as_ref(), Some(judged), "{event}");
    }
}

fn holds_what_was_sent(event: &Event<'_>, sent: &Map<String, Value>) {
    let text = |text: &Option<rollcall_shared::event::Text<'_>>| text.as_ref().map(|text| text.0.clone().into_owned());
    for (got, names) in [
        (text(&event.user_id), &["user_id", "userId", "distinct_id"][..]),
        (text(&event.anonymous_id), &["anonymous_id", "anonymousId"]),
        (text(&event.session_id), &["session_id", "sessionId"]),
        (text(&event.account_id), &["account_id", "accountId"]),
    ] {
        is_one_of(got.as_deref(), sent, names);
    }
    let ids = ["event_id", "eventId", "messageId", "uuid", "insert_id", "$insert_id"];
    if let Some(Value::String(id)) = under(sent, &ids) {
        assert_eq!(event.id.0, parse_uuid(id).filter(|_| *id != event.id.0).map_or_else(|| id.clone(), |uuid| uuid.to_string()));
    }
    let types = ["event_type", "eventType", "event", "event_name", "type"];
    if under(sent, &types).is_some() {
        is_one_of(Some(&event.event_type.0), sent, &types);
    }
    if under(sent, &["occurred_at", "timestamp", "time", "ts"]).is_none() {
        assert_eq!(event.occurred_at_us, RECEIVED_AT_US);
    }
    let got: Value = serde_json::from_str(event.properties).expect("JSON");
    assert_eq!(got, Value::Object(properties_of(sent)));
}

/// The expected properties of an event: its own, and every unknown field.
fn properties_of(sent: &Map<String, Value>) -> Map<String, Value> {
    let names = ["properties", "payload", "metadata", "jsonDetails"];
    let mut expected = names.iter().find_map(|name| sent.get(*name)?.as_object()).cloned().unwrap_or_default();
    for (name, value) in sent.iter().filter(|(name, _)| rollcall_shared::field::Field::named(name.as_bytes()).is_none()) {
        expected.entry(name).or_insert_with(|| value.clone());
    }
    expected
}

/// The value under any of the names.
fn under<'v>(sent: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| sent.get(*name).filter(|value| !value.is_null()))
}

/// Whether the result is one of the sent values. `serde_json` rounds integers of more than 64 bits, so those
/// are not compared.
fn is_one_of(got: Option<&str>, sent: &Map<String, Value>, names: &[&str]) {
    match under(sent, names) {
        Some(Value::Number(number)) if number.is_f64() => {}
        Some(Value::Number(number)) => assert_eq!(got, Some(number.to_string().as_str())),
        // If a later value of the same name is null, an earlier one counts.
        None => assert!(got.is_none() || names.iter().any(|name| sent.contains_key(*name))),
        value => assert_eq!(got, value.and_then(Value::as_str)),
    }
}

#[cfg(test)]
mod tests;
