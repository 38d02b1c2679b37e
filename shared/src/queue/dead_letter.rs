//! Dead letters: events and messages that could not be stored after all retries, kept with the reason.
//!
//! A dead letter is one message of the stream [`DLQ_STREAM`](super::stream::DLQ_STREAM). Its payload is a
//! [chunk](super::chunk), which can be published again as it is. Its headers hold the [`Verdict`]. Each refused
//! event becomes a separate letter, whose subject contains the identity of the event. A message that no worker
//! could read becomes one letter, whose subject contains a hash of the payload, and so do many events of a message
//! whose types are beyond their project's limit.
//!
//! The stream keeps one message per subject and refuses a second one. So an event that fails several times, because
//! a client sends it again or a message is redelivered after a crash, is still one dead letter. The subject also
//! contains the number of redrives. An event that fails again after a redrive is therefore a new letter, which
//! can be written before the old one is removed.

use std::str::FromStr;

use async_nats::HeaderMap;
use jiff::Timestamp;

use super::chunk::REPLY_HEADER;

/// Header, also of chunks in the ingest stream: how often the events were redriven. Absent means never.
pub const REDRIVES_HEADER: &str = "Rollcall-Redrives";
const CODE_HEADER: &str = "Rollcall-Dead-Code";
const REASON_HEADER: &str = "Rollcall-Dead-Reason";
const ATTEMPTS_HEADER: &str = "Rollcall-Dead-Attempts";
const ORIGIN_HEADER: &str = "Rollcall-Dead-Origin";
const FIRST_SEEN_HEADER: &str = "Rollcall-Dead-First-Seen";
const FAILED_AT_HEADER: &str = "Rollcall-Dead-Failed-At";

/// Longest reason that is kept. The headers of a message count toward its size limit.
const MAX_REASON_BYTES: usize = 1024;

/// Why something became a dead letter. Programs rely on the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    /// PostgreSQL refused the row in every attempt.
    Refused,
    /// Its project does not exist.
    UnknownProject,
    /// Its project's time zone is unknown to the workers.
    UnknownTimeZone,
    /// Its type is new, and its project has as many event types as it may.
    EventTypeLimit,
    /// The payload is not a chunk of events.
    Undecodable,
    /// Every worker that took the message ended before it reported a result.
    KillsWorker,
    /// The event is older than its project keeps events.
    Expired,
}

impl Code {
    /// The name, which never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether another attempt would fail too, until somebody changes something, so that none is made.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::EventTypeLimit | Self::Expired | Self::Undecodable | Self::KillsWorker)
    }
}

/// What is known about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// For programs.
    pub code: Code,
    /// For people: one line of at most 1 KiB.
    pub reason: String,
    /// The number of attempts to store it.
    pub attempts: u32,
    /// The number of redrives before this failure.
    pub redrives: u32,
    /// The sequence of its message in the stream of accepted events.
    pub origin_sequence: u64,
    /// When it was accepted.
    pub first_seen: Timestamp,
    /// When it became a dead letter.
    pub failed_at: Timestamp,
}

impl Verdict {
    /// Writes the verdict into a dead letter's headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(CODE_HEADER, self.code.name());
        headers.insert(REASON_HEADER, one_line(&self.reason).as_str());
        headers.insert(ATTEMPTS_HEADER, self.attempts.to_string().as_str());
        headers.insert(REDRIVES_HEADER, self.redrives.to_string().as_str());
        headers.insert(ORIGIN_HEADER, self.origin_sequence.to_string().as_str());
        headers.insert(FIRST_SEEN_HEADER, self.first_seen.to_string().as_str());
        headers.insert(FAILED_AT_HEADER, self.failed_at.to_string().as_str());
    }

    /// Reads the verdict from a dead letter's headers; `None` if no worker wrote the letter.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        Some(Self {
            code: parsed(headers, CODE_HEADER)?,
            reason: headers.get(REASON_HEADER)?.as_str().to_owned(),
            attempts: parsed(headers, ATTEMPTS_HEADER)?,
            redrives: redrives(Some(headers)),
            origin_sequence: parsed(headers, ORIGIN_HEADER)?,
            first_seen: parsed(headers, FIRST_SEEN_HEADER)?,
            failed_at: parsed(headers, FAILED_AT_HEADER)?,
        })
    }
}

/// The headers for publishing a dead letter's payload again: the original ones with the redrive count raised by
/// one, and without the inbox, in which nobody waits any longer.
#[must_use]
pub fn headers_to_send_again(letter: &HeaderMap) -> HeaderMap {
    let left_out =
        [CODE_HEADER, REASON_HEADER, ATTEMPTS_HEADER, ORIGIN_HEADER, FIRST_SEEN_HEADER, FAILED_AT_HEADER, REPLY_HEADER];
    let mut headers = HeaderMap::new();
    for (name, values) in letter.iter().filter(|(name, _)| !left_out.contains(&name.as_ref())) {
        values.iter().for_each(|value| headers.append(name.clone(), value.clone()));
    }
    headers.insert(REDRIVES_HEADER, (redrives(Some(letter)) + 1).to_string().as_str());
    headers
}

/// How often a message's events were redriven.
#[must_use]
pub fn redrives(headers: Option<&HeaderMap>) -> u32 {
    headers.and_then(|headers| parsed(headers, REDRIVES_HEADER)).unwrap_or(0)
}

fn parsed<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.as_str().parse().ok()
}

/// The text without line breaks, which headers cannot contain, cut to the length that is kept.
fn one_line(text: &str) -> String {
    let mut line = text.replace(|character: char| character.is_control(), " ");
    line.truncate(line.floor_char_boundary(MAX_REASON_BYTES));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(reason: &str) -> Verdict {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (first_seen, failed_at) = (at(1_760_000_000), at(1_760_000_031));
        let reason = reason.to_owned();
        Verdict { code: Code::Refused, reason, attempts: 6, redrives: 2, origin_sequence: 7, first_seen, failed_at }
    }

    #[test]
    fn a_verdict_survives_the_headers() {
        let mut headers = HeaderMap::new();
        verdict("violates check constraint").write(&mut headers);
        assert_eq!(Verdict::read(&headers), Some(verdict("violates check constraint")));
    }

    #[test]
    fn a_reason_becomes_one_line_of_bounded_length() {
        let mut headers = HeaderMap::new();
        verdict(&("two\r\nlines".to_owned() + &"ü".repeat(1000))).write(&mut headers);
        let reason = Verdict::read(&headers).unwrap().reason;
        assert!(reason.starts_with("two  lines"), "{reason}");
        assert!(reason.len() <= MAX_REASON_BYTES);
    }
}
