//! Windows: equal periods of days that follow each other.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

/// The length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::EnumString, strum::VariantNames, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum WindowType {
    Day,
    Week,
    Month,
}

/// Consecutive windows without gaps.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    /// The first day of each window, and the day after the last.
    bounds: Vec<Date>,
}

impl Windows {
    /// `count` windows from `start`. Months are counted from the start itself, so windows that begin on the
    /// 31st begin on the 31st again after a shorter month.
    pub(super) fn new(start: Date, window_type: WindowType, count: usize) -> Self {
        let bound = |index: usize| {
            let index = index as i64;
            start.saturating_add(match window_type {
                WindowType::Day => index.days(),
                WindowType::Week => index.weeks(),
                WindowType::Month => index.months(),
            })
        };
        Self { bounds: (0..=count).map(bound).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The first day of a window.
    pub(super) fn first(&self, window: usize) -> Date {
        self.bounds[window]
    }

    /// The last day of a window.
    pub(super) fn last(&self, window: usize) -> Date {
        self.end(window).saturating_sub(1.day())
    }

    /// The day after a window.
    pub(super) fn end(&self, window: usize) -> Date {
        self.bounds[window + 1]
    }

    /// The window that contains a day; `None` before the first.
    pub(super) fn of(&self, day: Date) -> Option<usize> {
        self.bounds.partition_point(|bound| *bound <= day).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_from_the_31st_come_back_to_it() {
        let windows = Windows::new(jiff::civil::date(2025, 1, 31), WindowType::Month, 3);
        let firsts: Vec<_> = (0..3).map(|window| windows.first(window).to_string()).collect();
        assert_eq!(firsts, ["2025-01-31", "2025-02-28", "2025-03-31"]);
        assert_eq!(windows.last(0).to_string(), "2025-02-27");
        assert_eq!(windows.of(jiff::civil::date(2025, 2, 27)), Some(0));
        assert_eq!(windows.of(jiff::civil::date(2025, 2, 28)), Some(1));
        assert_eq!(windows.of(jiff::civil::date(2025, 1, 30)), None);
    }
}
