//! The quick reader: cuts a body into events as it arrives, if there is nothing unusual about it.
//!
//! Whatever it does not expect is left to the reader of [`payload`](super::payload), which knows every shape of a body and
//! says what is wrong with it. The results for the events of a body that both read are the same.

use crate::ingest::parse::payload::{Counter, Format, PayloadError, Reading, event_of_line};
use crate::ingest::parse::properties::MAX_PROPERTIES_BYTES;
use crate::ingest::parse::scan::{Scanner, Stop};
use crate::ingest::parse::wire::WireEvent;

/// A body may begin with this, to say that it is UTF-8.
const MARK: char = '\u{feff}';

/// Where in the body the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the array.
    Start,
    /// Behind the bracket that opens the array.
    First,
    /// Before an event that must come.
    Next,
    /// Behind an event.
    Behind,
    /// Behind the bracket that closes the array.
    Closed,
    /// Behind the bracket or brace that closes everything.
    End,
}

/// Reads a body part by part.
#[derive(Debug)]
pub(crate) struct QuickReader<'t> {
    format: Format,
    place: Place,
    has_envelope: bool,
    counter: Counter<'t>,
}

/// What is called for each event, or for the reason why it cannot be read.
pub(crate) type Sink<'s, 'a> = &'s mut dyn FnMut(Result<WireEvent<'a>, String>);

impl<'t> QuickReader<'t> {
    pub(crate) fn new(reading: Reading<'t>) -> Self {
        Self { format: reading.format, place: Place::Start, has_envelope: false, counter: Counter::new(reading) }
    }

    /// Passes the events to `sink` that are whole in the text, which is what the body has after the bytes that were read
    /// before, and ends with the body if `is_end`. Returns how many bytes were read.
    ///
    /// # Errors
    /// [`PayloadError::Unusual`] if the body must be read in the other way from its beginning; those of the other way.
    pub(crate) fn advance<'a>(&mut self, text: &'a str, is_end: bool, sink: Sink<'_, 'a>) -> Result<usize, PayloadError> {
        match self.format {
            Format::Ndjson => self.lines(text, is_end, sink),
            Format::Json => self.document(text, is_end, sink),
        }
    }

    fn lines<'a>(&mut self, text: &'a str, is_end: bool, sink: Sink<'_, 'a>) -> Result<usize, PayloadError> {
        let mut read = 0;
        if self.place == Place::Start {
            if text.len() < MARK.len_utf8() && !is_end {
                return Ok(0);
            }
            self.place = Place::Next;
            read = if text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
        }
        while read < text.len() {
            let rest = &text[read..];
            let (line, length) = match memchr::memchr(b'\n', rest.as_bytes()) {
                Some(end) => (&rest[..end], end + 1),
                None if is_end => (rest, rest.len()),
                None => break,
            };
            if !line.trim_ascii().is_empty() {
                self.counter.count()?;
                sink(whole_event(line).map_or_else(|| event_of_line(line), Ok));
            }
            read += length;
        }
        Ok(read)
    }

    fn document<'a>(&mut self, text: &'a str, is_end: bool, sink: Sink<'_, 'a>) -> Result<usize, PayloadError> {
        let mut read = 0;
        loop {
            let mut scanner = Scanner::new(text, read);
            match self.step(&mut scanner, sink) {
                Ok(Step::Done) => read = scanner.at,
                Ok(Step::Counted(error)) => return Err(error),
                Err(Stop::End) if !is_end => return Ok(read),
                // Behind the end, there is nothing but white space.
                Err(Stop::End) if self.place == Place::End => return Ok(text.len()),
                Err(_) => return Err(PayloadError::Unusual),
            }
        }
    }

    /// Reads the next event, or what is between two events.
    fn step<'a>(&mut self, scanner: &mut Scanner<'a>, sink: Sink<'_, 'a>) -> Result<Step, Stop> {
        match self.place {
            Place::Start if scanner.next_byte()? == b'{' => {
                let begin = scanner.at;
                match envelope(scanner) {
                    Ok(()) => (self.has_envelope, self.place) = (true, Place::First),
                    Err(Stop::End) => return Err(Stop::End),
                    Err(Stop::Odd) => {
                        scanner.at = begin;
                        let event = scanner.event()?;
                        if may_be_envelope(&event) {
                            return Err(Stop::Odd);
                        }
                        self.place = Place::End;
                        return Ok(self.pass(event, sink));
                    }
                }
            }
            Place::Start => {
                scanner.expect(b'[')?;
                self.place = Place::First;
            }
            Place::First if scanner.next_byte()? == b']' => self.close(scanner)?,
            Place::First | Place::Next => {
                let event = scanner.event()?;
                self.place = Place::Behind;
                return Ok(self.pass(event, sink));
            }
            Place::Behind if scanner.next_byte()? == b']' => self.close(scanner)?,
            Place::Behind => {
                scanner.expect(b',')?;
                self.place = Place::Next;
            }
            Place::Closed => {
                scanner.expect(b'}')?;
                self.place = Place::End;
            }
            // Anything but white space is unusual.
            Place::End => return scanner.next_byte().and(Err(Stop::Odd)),
        }
        Ok(Step::Done)
    }

    fn pass<'a>(&mut self, event: WireEvent<'a>, sink: Sink<'_, 'a>) -> Step {
        match self.counter.count() {
            Ok(()) => {
                sink(Ok(event));
                Step::Done
            }
            Err(error) => Step::Counted(error),
        }
    }

    fn close(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        scanner.expect(b']')?;
        self.place = if self.has_envelope { Place::Closed } else { Place::End };
        Ok(())
    }
}

/// The outcome of a step.
enum Step {
    /// The position is behind what was read.
    Done,
    /// The next event is not read.
    Counted(PayloadError),
}

/// Moves behind the bracket that opens the array of an envelope.
fn envelope(scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    scanner.expect(b'{')?;
    scanner.next_byte()?;
    scanner.literal(b"\"events\"")?;
    scanner.expect(b':')?;
    scanner.expect(b'[')
}

/// Whether an event has, or had before its fields were too large to be kept, a field that makes it an envelope.
fn may_be_envelope(event: &WireEvent<'_>) -> bool {
    event.extra_bytes > MAX_PROPERTIES_BYTES || event.extra.iter().any(|(name, _)| name == "events")
}

/// The event of a line that has nothing else.
fn whole_event(line: &str) -> Option<WireEvent<'_>> {
    let mut scanner = Scanner::new(line, 0);
    let event = scanner.event().ok()?;
    (scanner.next_byte() == Err(Stop::End)).then_some(event)
}
