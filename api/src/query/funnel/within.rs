//! The time that a person has for all steps of a funnel.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::parameters::{Param, Parameters};

const WITHIN: Param = Param::new(
    &["within"],
    "How much time there is for all steps, counted from the first: a number of minutes, hours or days such as 30m, 12h or 7d.",
);

const MINUTE_SECS: u64 = 60;
const DAY_SECS: u64 = 86_400;
/// Longest time in seconds. The API has to read events that happened up to this long after the period.
const MAX_SECS: u64 = 90 * DAY_SECS;

/// A time from one minute to 90 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Within {
    secs: u64,
}

impl Within {
    /// Reads `within`; the default is 7 days.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        let within = parameters.parsed(WITHIN, "a time from 1m to 90d such as 30m, 12h or 7d", schema);
        within.unwrap_or(Self { secs: 7 * DAY_SECS })
    }

    pub(super) fn secs(self) -> u64 {
        self.secs
    }

    /// The maximum number of days that it can touch.
    pub(super) fn days(self) -> i64 {
        (self.secs.div_ceil(DAY_SECS) + 1).cast_signed()
    }

    pub(super) fn micros(self) -> i64 {
        (self.secs * 1_000_000).cast_signed()
    }
}

impl FromStr for Within {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit_secs) = [('m', MINUTE_SECS), ('h', 60 * MINUTE_SECS), ('d', DAY_SECS)]
            .into_iter()
            .find_map(|(unit, secs)| Some((text.strip_suffix(unit)?, secs)))
            .ok_or(())?;
        if !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(());
        }
        let secs = number.parse::<u64>().map_err(|_| ())?.checked_mul(unit_secs).ok_or(())?;
        if (MINUTE_SECS..=MAX_SECS).contains(&secs) { Ok(Self { secs }) } else { Err(()) }
    }
}

fn schema() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+[mhd]$", "default": "7d", "examples": ["30m", "12h", "7d"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_minutes_hours_or_days_within_bounds() {
        let secs = |text: &str| text.parse::<Within>().ok().map(Within::secs);
        assert_eq!(
            ["1m", "90m", "12h", "7d", "90d", "2160h"].map(secs),
            [60, 5_400, 43_200, 604_800, 7_776_000, 7_776_000].map(Some)
        );
        for text in
            ["", "m", "0m", "7", "-1d", "+1d", "1.5h", "91d", "2161h", "60s", "1 d", "1w", "1md", "99999999999999999999d", "é"]
        {
            assert_eq!(secs(text), None, "{text}");
        }
    }
}
