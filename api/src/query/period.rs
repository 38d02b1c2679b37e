//! A period: the days, both inclusive, that a query is about.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::extract::Parameters;

/// The names of its first and of its last day.
const FROM: [&str; 2] = ["from", "from_date"];
const TO: [&str; 2] = ["to", "to_date"];

/// Longest period in days: three years.
const MAX_DAYS: i64 = 1100;
/// Days of a period that is not given.
const DEFAULT_DAYS: i32 = 30;

/// Days from `from` to `to`, both inclusive, at most 1100 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: Date,
    pub(super) to: Date,
}

impl Period {
    /// Takes `from` and `to`, also as `from_date` and `to_date`; the last 30 days when absent.
    pub(super) fn take(parameters: &mut Parameters, today: Date) -> Self {
        let from = parameters.date(&FROM);
        let to = parameters.date(&TO).unwrap_or(today);
        let from = from.unwrap_or_else(|| to.saturating_sub((DEFAULT_DAYS - 1).days()));
        // Held against the default of a bad date, the other would be blamed for it.
        if parameters.has_problem(&FROM) || parameters.has_problem(&TO) {
            return Self { from, to };
        }
        let (from_name, to_name) = (parameters.name_of(&FROM), parameters.name_of(&TO));
        if from > to {
            parameters.problem(from_name, "out_of_range", format!("must not be after {to_name}"));
        } else if days_between(from, to) >= MAX_DAYS {
            parameters.problem(from_name, "out_of_range", format!("the period must be 1 to {MAX_DAYS} days"));
        }
        Self { from, to }
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}
