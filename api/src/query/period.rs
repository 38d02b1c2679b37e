//! A period: the days, both inclusive, that a question is about.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::extract::Parameters;

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
        let from = parameters.date(&["from", "from_date"]);
        let to = parameters.date(&["to", "to_date"]).unwrap_or(today);
        let from = from.unwrap_or_else(|| to.saturating_sub((DEFAULT_DAYS - 1).days()));
        // Held against the default of a bad date, the other would be blamed for it.
        if parameters.has_problem("from") || parameters.has_problem("to") {
            return Self { from, to };
        }
        if from > to {
            parameters.problem("from", "out_of_range", "must not be after to");
        } else if days_between(from, to) >= MAX_DAYS {
            parameters.problem("from", "out_of_range", format!("the period must be 1 to {MAX_DAYS} days"));
        }
        Self { from, to }
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}
