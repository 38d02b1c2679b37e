//! Dead letters: what could not be stored after its retries, kept with the reason.
//!
//! A dead letter is one message of the stream [`DLQ_STREAM`](super::stream::DLQ_STREAM). Its
//! payload is a [chunk](super::chunk), so that sending it again is publishing it again; its headers
//! hold the [`Verdict`]; its subject says what it is about. A refused event is a letter of its own,
//! under a subject made of its identity; a message that nobody could read is one letter, under a
//! subject made of its content.
//!
//! The stream keeps one message a subject and refuses a second, so however often the same event
//! fails (a client's retry, a redelivery after a crash), it is one dead letter. The number of times
//! it was redriven is part of the subject: an event that fails again after a redrive is a new letter
//! and can be written before the old one is removed.

use std::fmt;
use std::str::FromStr;

use async_nats::HeaderMap;
use jiff::Timestamp;

use super::chunk::REPLY_HEADER;

/// Header, also of events on their way: how often they were redriven. Absent means never.
pub const REDRIVES_HEADER: &str = "Rollcall-Redrives";
const CODE_HEADER: &str = "Rollcall-Dead-Code";
const REASON_HEADER: &str = "Rollcall-Dead-Reason";
const ATTEMPTS_HEADER: &str = "Rollcall-Dead-Attempts";
const ORIGIN_HEADER: &str = "Rollcall-Dead-Origin";
const FIRST_SEEN_HEADER: &str = "Rollcall-Dead-First-Seen";
const FAILED_AT_HEADER: &str = "Rollcall-Dead-Failed-At";

/// Longest reason kept: a message's headers count toward its size limit.
const MAX_REASON_BYTES: usize = 1024;

/// Why something became a dead letter, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// PostgreSQL refused the row, on every try.
    Refused,
    /// Its project does not exist.
    UnknownProject,
    /// Its project's time zone is unknown to the workers.
    UnknownTimeZone,
    /// The payload is not a chunk of events.
    Undecodable,
    /// Every worker that took the message ended before it could say how it went.
    KillsWorker,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 5] = [Self::Refused, Self::UnknownProject, Self::UnknownTimeZone, Self::Undecodable, Self::KillsWorker];

    /// The code's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::UnknownProject => "unknown_project",
            Self::UnknownTimeZone => "unknown_time_zone",
            Self::Undecodable => "undecodable",
            Self::KillsWorker => "kills_worker",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|code| code.name() == text).ok_or(())
    }
}

/// What is known of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// For programs.
    pub code: Code,
    /// For people: one line of at most 1 KiB.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was redriven before.
    pub redrives: u32,
    /// Sequence in the stream of accepted events.
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

    /// Reads it from a dead letter's headers; `None` where a stranger wrote the letter.
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

/// The headers with which a dead letter's payload travels again: as at first, counted, and without
/// the inbox in which nobody waits any more.
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

/// The text without line ends, which no header can hold, and cut to what is kept.
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
