//! Scanning: one pass over the bytes of JSON that checks the syntax and finds the fields of events.
//!
//! It accepts nothing that `serde_json` refuses, and refuses what is rare: values that are nested very deeply. What it
//! refuses is read again by `serde_json`, which also says what is wrong.

use crate::ingest::parse::name::{Name, NamesAs};
use crate::ingest::parse::raw::{Raw, Seen};
use crate::ingest::parse::wire::WireEvent;

/// Numbers of more bytes are looked at again: past every float are only those of 309 digits, or with an exponent.
const LONG_NUMBER_BYTES: usize = 64;
/// The containers around a value are bits of a `u64`, of which the highest one marks the end.
const MAX_DEPTH: u8 = 62;

/// Why a value was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The text ends within the value. So far, it could be JSON.
    End,
    /// It is no JSON, or it is unusual.
    Odd,
}

/// A position in a text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(crate) at: usize,
    /// What was seen since the last value began.
    seen: Seen,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, at: usize) -> Self {
        Self { text, bytes: text.as_bytes(), at, seen: Seen::NOTHING }
    }

    /// Skips white space; returns the byte behind it, at which the position then is.
    pub(crate) fn next_byte(&mut self) -> Result<u8, Stop> {
        loop {
            match self.bytes.get(self.at) {
                Some(byte @ b'!'..) => return Ok(*byte),
                Some(b' ' | b'\t') => {}
                Some(b'\n' | b'\r') => self.seen.line_breaks = true,
                Some(_) => return Err(Stop::Odd),
                None => return Err(Stop::End),
            }
            self.at += 1;
        }
    }

    /// Moves behind this byte, after white space.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.next_byte()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(Stop::Odd)
        }
    }

    /// Moves behind these bytes.
    pub(crate) fn literal(&mut self, literal: &[u8]) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(literal) {
            self.at += literal.len();
            return Ok(());
        }
        Err(if literal.starts_with(rest) { Stop::End } else { Stop::Odd })
    }

    /// Reads an object as an event.
    pub(crate) fn event(&mut self) -> Result<WireEvent<'a>, Stop> {
        let mut event = WireEvent::default();
        self.expect(b'{')?;
        if self.next_byte()? == b'}' {
            self.at += 1;
            return Ok(event);
        }
        loop {
            let name = self.name()?;
            self.expect(b':')?;
            event.set(name, self.value()?);
            match self.next_byte()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(event);
                }
                _ => return Err(Stop::Odd),
            }
        }
    }

    fn name(&mut self) -> Result<Name<'a>, Stop> {
        if self.next_byte()? != b'"' {
            return Err(Stop::Odd);
        }
        let begin = self.at;
        self.seen = Seen::NOTHING;
        self.string()?;
        if self.seen.escapes {
            // An escape in a name is rare.
            return NamesAs::Bytes.read(&self.text[begin..self.at]).ok_or(Stop::Odd);
        }
        Ok(Name::of_text(&self.text[begin + 1..self.at - 1]))
    }

    /// Reads any value.
    fn value(&mut self) -> Result<Raw<'a>, Stop> {
        let byte = self.next_byte()?;
        let begin = self.at;
        self.seen = Seen::NOTHING;
        match byte {
            b'{' | b'[' => self.container(byte)?,
            _ => self.scalar(byte)?,
        }
        Ok(Raw::new(&self.text[begin..self.at], self.seen))
    }

    /// Moves behind an object or array, which begins here with `opening`.
    fn container(&mut self, opening: u8) -> Result<(), Stop> {
        // Each bit below the highest one is a container around the position: 1 for an object.
        let (mut around, mut depth) = (1_u64, 0_u8);
        let mut byte = opening;
        loop {
            // A value begins.
            let is_opening = matches!(byte, b'{' | b'[');
            if is_opening {
                if depth == MAX_DEPTH {
                    return Err(Stop::Odd);
                }
                depth += 1;
                self.seen.depth = self.seen.depth.max(depth);
                around = around << 1 | u64::from(byte == b'{');
                self.at += 1;
            } else {
                self.scalar(byte)?;
            }
            byte = self.next_byte()?;
            if is_opening && byte != closing(around) {
                byte = self.entry(around, byte)?;
                continue;
            }
            // A value has ended, or a container is empty.
            loop {
                if byte == b',' {
                    self.at += 1;
                    byte = self.next_byte()?;
                    byte = self.entry(around, byte)?;
                    break;
                }
                if byte != closing(around) {
                    return Err(Stop::Odd);
                }
                self.at += 1;
                around >>= 1;
                depth -= 1;
                if is_closed(around) {
                    return Ok(());
                }
                byte = self.next_byte()?;
            }
        }
    }

    /// Moves behind the name of an entry if the innermost container is an object; returns the first byte of the value.
    fn entry(&mut self, around: u64, byte: u8) -> Result<u8, Stop> {
        if around & 1 == 0 {
            return Ok(byte);
        }
        if byte != b'"' {
            return Err(Stop::Odd);
        }
        self.string()?;
        self.expect(b':')?;
        self.next_byte()
    }

    fn scalar(&mut self, first: u8) -> Result<(), Stop> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(Stop::Odd),
        }
    }

    /// Moves behind the string that begins here.
    fn string(&mut self) -> Result<(), Stop> {
        self.at += 1;
        loop {
            self.at = self.special(self.at).ok_or(Stop::End)?;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err(Stop::Odd),
            }
        }
    }

    /// The position of the next quote, backslash or control character.
    fn special(&self, mut at: usize) -> Option<usize> {
        while let Some(eight) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let found = specials(u64::from_le_bytes(*eight));
            if found != 0 {
                return Some(at + found.trailing_zeros() as usize / 8);
            }
            at += eight.len();
        }
        let rest = self.bytes.get(at..)?;
        rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).map(|place| at + place)
    }

    fn escape(&mut self) -> Result<(), Stop> {
        self.seen.escapes = true;
        match self.bytes.get(self.at + 1).ok_or(Stop::End)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                self.seen.code_points = true;
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(Stop::End)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Stop::Odd);
                }
                self.at += 6;
            }
            _ => return Err(Stop::Odd),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let begin = self.at;
        self.at += usize::from(self.bytes[begin] == b'-');
        match self.bytes.get(self.at).ok_or(Stop::End)? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.seen.long_numbers = true;
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.seen.long_numbers |= self.at - begin > LONG_NUMBER_BYTES;
        Ok(())
    }

    /// Moves behind one or more digits.
    fn digits(&mut self) -> Result<(), Stop> {
        let begin = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match (self.at > begin, self.bytes.get(self.at)) {
            (true, _) => Ok(()),
            (false, Some(_)) => Err(Stop::Odd),
            (false, None) => Err(Stop::End),
        }
    }
}

/// Whether there is no container.
fn is_closed(around: u64) -> bool {
    around == 1
}

/// The byte that closes the innermost container.
fn closing(around: u64) -> u8 {
    if around & 1 == 1 { b'}' } else { b']' }
}

/// The highest bit of each byte that is a quote, a backslash or a control character. The lowest bit that is set is right;
/// those above it may be wrong, because a subtraction borrows from them.
fn specials(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let equal_to = |byte: u8| {
        let difference = eight ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference
    };
    let below_space = eight.wrapping_sub(ONES * u64::from(b' ')) & !eight;
    (equal_to(b'"') | equal_to(b'\\') | below_space) & (ONES << 7)
}
