//! The time of an event, in every form that clients may use.

use crate::rfc3339::{self, InstantError};

/// How far, in microseconds, a time may be ahead of the server's clock: a day, for clocks that are set to
/// local time by mistake.
pub(crate) const MAX_AHEAD_US: i64 = 24 * 3600 * 1_000_000;

/// Smaller numbers are seconds, and others milliseconds. In seconds this is the year 5138, in milliseconds
/// March 1973.
const FIRST_MILLISECONDS: f64 = 1e11;

/// Why a text or number is not a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    /// Neither RFC 3339 nor a number.
    Syntax,
    /// Before 1970 or too far ahead.
    OutOfRange,
}

/// Reads RFC 3339 as microseconds since 1970. A time without an offset is in UTC.
pub(crate) fn of_text(text: &str, now_us: i64) -> Result<i64, TimeError> {
    let instant_us = rfc3339::instant_us(text).map_err(|error| match error {
        InstantError::Syntax => TimeError::Syntax,
        InstantError::OutOfRange => TimeError::OutOfRange,
    })?;
    within_range(instant_us, now_us)
}

/// Reads Unix seconds or milliseconds, with or without a fraction, as microseconds since 1970.
pub(crate) fn of_number(text: &str, now_us: i64) -> Result<i64, TimeError> {
    let number: f64 = text.parse().map_err(|_| TimeError::Syntax)?;
    let scale = if number.abs() < FIRST_MILLISECONDS { 1e6 } else { 1e3 };
    // A float is exact to the microsecond until the year 2255. Beyond its range the cast saturates.
    within_range((number * scale).round() as i64, now_us)
}

fn within_range(instant_us: i64, now_us: i64) -> Result<i64, TimeError> {
    if (0..=now_us + MAX_AHEAD_US).contains(&instant_us) { Ok(instant_us) } else { Err(TimeError::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_255_200_000_000;

    #[test]
    fn one_instant_can_be_written_in_many_ways() {
        assert_eq!(of_text("2025-10-01T12:00:00+02:00", NOW_US), Ok(1_759_312_800_000_000));
        for number in ["1759312800", "1759312800000", "1.7593128e9", "1759312800.0"] {
            assert_eq!(of_number(number, NOW_US), Ok(1_759_312_800_000_000), "{number}");
        }
        assert_eq!(of_number("1759312800.123456", NOW_US), Ok(1_759_312_800_123_456));
    }

    #[test]
    fn times_before_1970_or_more_than_a_day_ahead_are_out_of_range() {
        for text in ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(of_text(text, NOW_US), Err(TimeError::OutOfRange), "{text}");
        }
        for number in ["-1", "1e18", "9e99"] {
            assert_eq!(of_number(number, NOW_US), Err(TimeError::OutOfRange), "{number}");
        }
        assert_eq!(of_number("0", NOW_US), Ok(0));
    }

    #[test]
    fn what_is_no_time_is_told_apart() {
        for text in ["", "yesterday", "2025-10-01", "1759312800"] {
            assert_eq!(of_text(text, NOW_US), Err(TimeError::Syntax), "{text}");
        }
    }
}
