//! Days: to which day of a project an instant belongs.
//!
//! Instants are microseconds since 1970-01-01T00:00:00Z, as PostgreSQL stores them. A [`Day`]
//! counts days since the same date. A [`Calendar`] knows on which day of its time zone an instant
//! falls. Two events of one user on the same day count as one active user.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Microseconds in a day without a clock change.
pub const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// A calendar day as the number of days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The identity day of events that were sent with an id and without a time. It is before every day of a
    /// dated event, so that one partition holds them all.
    pub const UNDATED: Self = Self(-719_162);

    /// The UTC day of an instant in microseconds.
    #[must_use]
    pub fn utc_of(instant_us: i64) -> Self {
        // Instants lie between the years 1970 and 9999, so the quotient fits.
        Self(i32::try_from(instant_us.div_euclid(DAY_US)).unwrap_or(i32::MAX))
    }

    /// The civil date of this day.
    #[must_use]
    pub fn date(self) -> Date {
        EPOCH.saturating_add(self.0.days())
    }
}

/// An hour of a project's local clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour {
    /// The day that the local clock shows.
    pub day: Day,
    /// The hour that it shows, from 0 to 23.
    pub hour: i16,
    /// The seconds by which the local clock is ahead of UTC. They distinguish the two hours that have the
    /// same local time when clocks are put back.
    pub utc_offset_secs: i32,
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        let days = date.duration_since(EPOCH).as_hours() / 24;
        Self(i32::try_from(days).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

/// The calendar of a project: its IANA time zone, with a shortcut for UTC.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    is_utc: bool,
}

impl Calendar {
    /// The calendar of the zone with this IANA name.
    ///
    /// # Errors
    /// Only if no zone database on this machine contains the name.
    pub fn of_zone(name: &str) -> Result<Self, jiff::Error> {
        let zone = TimeZone::get(name)?;
        Ok(Self { is_utc: matches!(name, "UTC" | "Etc/UTC"), zone })
    }

    /// The day in which an instant, in microseconds, falls.
    #[must_use]
    pub fn day_of(&self, instant_us: i64) -> Day {
        if self.is_utc {
            return Day::utc_of(instant_us);
        }
        match Timestamp::from_microsecond(instant_us) {
            Ok(instant) => self.zone.to_datetime(instant).date().into(),
            Err(_) => Day::utc_of(instant_us),
        }
    }

    /// The hour in which an instant, in microseconds, falls.
    #[must_use]
    pub fn hour_of(&self, instant_us: i64) -> Hour {
        match Timestamp::from_microsecond(instant_us) {
            Ok(instant) if !self.is_utc => {
                let offset = self.zone.to_offset(instant);
                let local = offset.to_datetime(instant);
                Hour { day: local.date().into(), hour: local.hour().into(), utc_offset_secs: offset.seconds() }
            }
            _ => {
                let hour = instant_us.rem_euclid(DAY_US) / HOUR_US;
                Hour { day: Day::utc_of(instant_us), hour: i16::try_from(hour).unwrap_or_default(), utc_offset_secs: 0 }
            }
        }
    }

    /// The first instant of a day, in microseconds: midnight, or the first that exists where clocks jump
    /// over it.
    #[must_use]
    pub fn start_us(&self, day: Date) -> i64 {
        let utc_us = || i64::from(Day::from(day).0) * DAY_US;
        if self.is_utc {
            return utc_us();
        }
        day.to_zoned(self.zone.clone()).map_or_else(|_| utc_us(), |start| start.timestamp().as_microsecond())
    }

    /// Whether clocks were put back over the midnight with which a day begins. Then instants of the day before
    /// come again after the start of this one.
    #[must_use]
    pub fn begins_twice(&self, day: Date) -> bool {
        let Ok(start) = Timestamp::from_microsecond(self.start_us(day)) else { return false };
        let change = self.zone.following(start).next().map(|change| change.timestamp());
        change.is_some_and(|change| change.duration_since(start).as_hours() < 24 && self.zone.to_datetime(change).date() < day)
    }

    /// Its time zone.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Today in this calendar.
    #[must_use]
    pub fn today(&self) -> Date {
        self.zone.to_datetime(Timestamp::now()).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_thing() {
        for (number, text) in [(0, "1970-01-01"), (20_362, "2025-10-01"), (-719_162, "0001-01-01")] {
            assert_eq!(Day(number).to_string(), text);
            assert_eq!(Day::from(Day(number).date()), Day(number));
        }
    }

    #[test]
    fn the_day_of_an_instant_depends_on_the_zone() {
        // 2025-10-01T23:30:00Z is already the second of October in Berlin.
        let instant_us = 1_759_361_400_000_000;
        let utc = Calendar::of_zone("UTC").unwrap();
        let berlin = Calendar::of_zone("Europe/Berlin").unwrap();
        assert_eq!(utc.day_of(instant_us).to_string(), "2025-10-01");
        assert_eq!(berlin.day_of(instant_us).to_string(), "2025-10-02");
    }

    #[test]
    fn an_hour_that_comes_twice_has_two_offsets() {
        let berlin = Calendar::of_zone("Europe/Berlin").unwrap();
        let hour = |time: &str| {
            let hour = berlin.hour_of(time.parse::<Timestamp>().unwrap().as_microsecond());
            (hour.day.to_string(), hour.hour, hour.utc_offset_secs)
        };
        let day = || "2025-10-26".to_owned();
        assert_eq!(hour("2025-10-26T00:59:59.999999Z"), (day(), 2, 7_200));
        assert_eq!(hour("2025-10-26T01:00:00Z"), (day(), 2, 3_600));
        let utc = Calendar::of_zone("UTC").unwrap();
        let last = utc.hour_of(-1);
        assert_eq!((last.day.to_string(), last.hour, last.utc_offset_secs), ("1969-12-31".to_owned(), 23, 0));
    }

    #[test]
    fn a_day_starts_where_the_one_before_ends() {
        // Clocks in Santiago jump over midnight of 2025-09-07.
        for name in ["UTC", "Europe/Berlin", "America/Santiago", "Pacific/Kiritimati"] {
            let calendar = Calendar::of_zone(name).unwrap();
            for day in 0..800 {
                let date = jiff::civil::date(2025, 1, 1).saturating_add(day.days());
                let start_us = calendar.start_us(date);
                assert_eq!(calendar.day_of(start_us).date(), date, "{name}");
                assert!(calendar.day_of(start_us - 1).date() < date, "{name}");
            }
        }
    }

    #[test]
    fn a_day_begins_twice_where_clocks_are_put_back_after_midnight() {
        let twice = |zone: &str, day: Date| Calendar::of_zone(zone).unwrap().begins_twice(day);
        // From 00:01 to 23:01.
        assert!(twice("America/St_Johns", jiff::civil::date(2010, 11, 7)));
        for (zone, day) in [
            ("America/St_Johns", jiff::civil::date(2010, 11, 6)),
            ("America/St_Johns", jiff::civil::date(2010, 11, 8)),
            // From 00:00 to 23:00, from 01:00 to 00:00, and from 03:00 to 02:00.
            ("Asia/Beirut", jiff::civil::date(2025, 10, 26)),
            ("Atlantic/Azores", jiff::civil::date(2025, 10, 26)),
            ("Europe/Berlin", jiff::civil::date(2025, 10, 26)),
            ("UTC", jiff::civil::date(2025, 10, 26)),
        ] {
            assert!(!twice(zone, day), "{zone} {day}");
        }
    }

    #[test]
    fn a_zone_nobody_knows_is_refused() {
        assert!(Calendar::of_zone("Mars/Olympus").is_err());
    }
}
