//! A parameter that is a day or an instant.

use jiff::civil::Date;

/// A day, or an instant in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayOrInstant {
    Day(Date),
    InstantUs(i64),
}

impl DayOrInstant {
    /// The instant, or what `of_day` makes of the day.
    pub(crate) fn either(self, of_day: impl FnOnce(Date) -> i64) -> i64 {
        match self {
            Self::Day(day) => of_day(day),
            Self::InstantUs(instant_us) => instant_us,
        }
    }
}
