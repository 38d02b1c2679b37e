//! A period: the days, both inclusive, that a query is about.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::parameters::{Param, Parameters};

/// The parameter with the first day.
pub(super) const FROM: Param = Param::new(
    &["from", "from_date"],
    "The first day of the period, in the project's time zone; 29 days before the last by default.",
);
const TO: Param = Param::new(&["to", "to_date"], "The last day of the period; today by default.");

/// Longest period in days: three years.
const MAX_DAYS: i64 = 1100;
/// Length of the default period in days.
const DEFAULT_DAYS: i32 = 30;

/// Days from `from` to `to`, both inclusive, at most 1100 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    from: Date,
    to: Date,
}

/// Why two days do not make a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeriodError {
    /// The first day is after the last.
    Reversed,
    /// There are more than [`MAX_DAYS`] days.
    TooLong,
}

impl Period {
    /// Reads `from` and `to`, also as `from_date` and `to_date`. The result is the last 30 days if they are
    /// absent or have a problem.
    pub(super) fn take(parameters: &mut Parameters, today: Date) -> Self {
        let from = parameters.date(FROM);
        let to = parameters.date(TO).unwrap_or(today);
        // If one date is invalid, it has the default value, and comparing the valid date with that would
        // report a second, wrong problem.
        if parameters.has_problem(FROM) || parameters.has_problem(TO) {
            return Self::ending(today);
        }
        let period = from.map_or(Ok(Self::ending(to)), |from| Self::new(from, to));
        period.unwrap_or_else(|error| {
            let message = match error {
                PeriodError::Reversed => format!("must not be after {}", parameters.name_of(TO)),
                PeriodError::TooLong => format!("the period must be 1 to {MAX_DAYS} days"),
            };
            parameters.problem(parameters.name_of(FROM), "out_of_range", message);
            Self::ending(today)
        })
    }

    /// A period of two days that are known to be valid.
    #[cfg(test)]
    pub(super) fn of(from: Date, to: Date) -> Self {
        Self::new(from, to).expect("a period")
    }

    /// The number of days.
    pub(super) fn days(self) -> i64 {
        days_between(self.from, self.to) + 1
    }

    fn new(from: Date, to: Date) -> Result<Self, PeriodError> {
        match days_between(from, to) {
            days if days < 0 => Err(PeriodError::Reversed),
            days if days >= MAX_DAYS => Err(PeriodError::TooLong),
            _ => Ok(Self { from, to }),
        }
    }

    /// The last 30 days up to and including this one.
    fn ending(to: Date) -> Self {
        Self { from: to.saturating_sub((DEFAULT_DAYS - 1).days()), to }
    }

    /// The first day.
    pub(super) fn from(self) -> Date {
        self.from
    }

    /// The last day, which is never before the first.
    pub(super) fn to(self) -> Date {
        self.to
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}
