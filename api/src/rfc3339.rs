//! A strict parser of RFC 3339.
//!
//! Libraries also accept week dates, time zones in brackets, hours without minutes, years of six digits and
//! dates without dashes, and do not always interpret them as the client meant them. This parser refuses all
//! of these.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Why a text is not an instant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InstantError {
    /// It does not have the syntax of RFC 3339.
    Syntax,
    /// It is after the last instant that the library supports, at the end of the year 9999.
    OutOfRange,
}

/// Reads a `full-date`, such as 2025-10-01.
pub(crate) fn date(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let year = i16::from(number([y1, y2])?) * 100 + i16::from(number([y3, y4])?);
    Date::new(year, number([m1, m2])?, number([d1, d2])?).ok()
}

/// Reads a `date-time`, such as 2025-10-01T10:00:00.25+02:00, as microseconds since 1970. A time without an
/// offset is in UTC. Fractions of a second are cut after six digits.
///
/// # Errors
/// [`InstantError`].
pub(crate) fn instant_us(text: &str) -> Result<i64, InstantError> {
    let (civil, offset_secs) = date_time(text).ok_or(InstantError::Syntax)?;
    let utc = Offset::UTC.to_timestamp(civil).map_err(|_| InstantError::OutOfRange)?;
    Ok(utc.as_microsecond() - i64::from(offset_secs) * 1_000_000)
}

fn date_time(text: &str) -> Option<(DateTime, i32)> {
    let (day, rest) = text.split_at_checked("2025-10-01".len())?;
    let &[b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = rest.as_bytes() else { return None };
    let (hour, minute, second) = (number([h1, h2])?, number([m1, m2])?, number([s1, s2])?);
    let (micros, rest) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            (micros(&rest[..digits]), &rest[digits..])
        }
        None => (0, rest),
    };
    // A leap second counts as the second before it, as on clocks that have no leap seconds.
    let time = Time::new(hour, minute, if second == 60 { 59 } else { second }, micros * 1_000).ok()?;
    Some((date(day)?.to_datetime(time), offset_secs(rest)?))
}

fn offset_secs(text: &[u8]) -> Option<i32> {
    match text {
        b"" | b"Z" | b"z" => Some(0),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (i32::from(number([h1, h2])?), i32::from(number([m1, m2])?));
            let secs = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -secs } else { secs })
        }
        _ => None,
    }
}

/// The first six digits of a fraction of a second.
fn micros(digits: &[u8]) -> i32 {
    (0..6).fold(0, |micros, place| micros * 10 + digits.get(place).map_or(0, |digit| i32::from(digit - b'0')))
}

fn number([tens, ones]: [u8; 2]) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0').cast_signed());
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT_US: i64 = 1_759_312_800_000_000;

    #[test]
    fn one_instant_can_be_written_in_many_ways() {
        for text in [
            "2025-10-01T10:00:00Z",
            "2025-10-01T10:00:00.000Z",
            "2025-10-01T10:00:00.0000000009999Z",
            "2025-10-01T12:00:00+02:00",
            "2025-09-30T22:30:00-11:30",
            "2025-10-02T09:59:00+23:59",
            "2025-10-01t10:00:00z",
            "2025-10-01T10:00:00",
            "2025-10-01 10:00:00-00:00",
        ] {
            assert_eq!(instant_us(text), Ok(INSTANT_US), "{text}");
        }
        assert_eq!(instant_us("2025-10-01T10:00:00.1234567891234Z"), Ok(INSTANT_US + 123_456));
        assert_eq!(instant_us("2016-12-31T23:59:60Z"), instant_us("2016-12-31T23:59:59Z"));
        assert_eq!(instant_us("1969-12-31T23:59:59.75Z"), Ok(-250_000));
        assert_eq!(instant_us("9999-12-31T23:59:59Z"), Err(InstantError::OutOfRange));
    }

    #[test]
    fn what_only_libraries_read_is_no_instant() {
        for text in [
            "",
            "yesterday",
            "2025-10-01",
            "2025-10-01T10",
            "2025-10-01T10:00",
            "2025-10-01T10:00Z",
            "20251001T100000Z",
            "2025-10-01T100000Z",
            "2025-10-01T10:00:00[Europe/Berlin]",
            "2025-10-01T10:00:00+02:00[Europe/Berlin]",
            "2025-10-01T10:00:00+25:30",
            "2025-10-01T10:00:00+02:60",
            "2025-10-01T10:00:00+0200",
            "2025-10-01T10:00:00+02",
            "2025-10-01T10:00:00,5Z",
            "2025-10-01T10:00:00.Z",
            "+002025-10-01T10:00:00Z",
            "2025-W40-3T10:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-10-01T24:00:00Z",
            "2025-10-01T10:00:61Z",
            "2025-10-01T10:00:00Z!",
            "2025-10-01_10:00:00Z",
            "2025-10-0١T10:00:00Z",
            "1759312800",
        ] {
            assert_eq!(instant_us(text), Err(InstantError::Syntax), "{text}");
        }
        for text in ["", "20251001", "2025-1-01", "+002025-10-01", "2025-10-01T00:00:00", "2025-W40-3", "2025-10-32"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_instant_that_the_library_writes_is_read_back(us in 0_i64..253_402_000_000_000_000) {
            let written = jiff::Timestamp::from_microsecond(us).unwrap().to_string();
            assert_eq!(instant_us(&written), Ok(us), "{written}");
        }

        #[test]
        fn what_is_read_the_library_reads_alike(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-6][0-9])") {
            let library = text.parse::<jiff::Timestamp>().ok().map(|instant| instant.as_nanosecond().div_euclid(1_000));
            assert_eq!(instant_us(&text).ok().map(i128::from), library, "{text}");
        }
    }
}
