//! The time zone of a project: a name that this machine and PostgreSQL understand alike.
//!
//! Rollups are cut by the zone database of the services, and `source=events` by that of PostgreSQL. Some names
//! mean different things to the two: CET is a zone with daylight saving time for one, and an abbreviation
//! without it for the other. Therefore their offsets are compared.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgConnection;

use crate::admin::fields::Fields;
use crate::error::ApiError;
use crate::problem::Problem;

/// Longest name that is looked up, in bytes. The longest zones have 32.
const MAX_BYTES: usize = 64;
/// The SQLSTATE for a zone that PostgreSQL does not know (invalid_parameter_value).
const UNKNOWN_ZONE: &str = "22023";
const FIELD: &str = "time_zone";

/// A zone that this machine knows, with its name in the usual spelling.
#[derive(Debug, Clone)]
pub(super) struct ProjectZone {
    name: String,
    zone: TimeZone,
}

struct OffsetRow {
    at_secs: i64,
    offset_secs: i32,
}

impl ProjectZone {
    /// Reads `time_zone`; `None` if it is absent, null or wrong.
    pub(super) fn take(fields: &mut Fields) -> Option<Self> {
        let name = fields.text(FIELD)?;
        let zone = Self::named(&name);
        if zone.is_none() {
            fields.problem(FIELD, "unknown_time_zone", "must be the IANA name of a time zone, such as Europe/Berlin or UTC");
        }
        zone
    }

    fn named(name: &str) -> Option<Self> {
        let zone = Some(name).filter(|name| name.len() <= MAX_BYTES).and_then(|name| TimeZone::get(name).ok())?;
        let name = zone.iana_name()?.to_owned();
        Some(Self { name, zone })
    }

    /// The zone of projects that name none.
    pub(super) fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Checks that PostgreSQL knows the zone, and that its clocks there have shown the same time since 1970 and will for the
    /// next two years.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] if it does not, and those of the database.
    pub(super) async fn check_in_database(&self, connection: &mut PgConnection) -> Result<(), ApiError> {
        let offsets = sqlx::query_file_as!(OffsetRow, "sql/admin/zone_offsets.sql", self.name).fetch_all(connection).await;
        let offsets = match offsets {
            Err(error) if error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == UNKNOWN_ZONE) => {
                return Err(refused("unknown_time_zone", "is a time zone that PostgreSQL does not know"));
            }
            offsets => offsets?,
        };
        let is_same = |row: &OffsetRow| {
            let here = Timestamp::from_second(row.at_secs).map(|at| self.zone.to_offset(at).seconds());
            here.is_ok_and(|offset| offset == row.offset_secs)
        };
        if offsets.iter().all(is_same) {
            return Ok(());
        }
        let message = "is a name that PostgreSQL and this service understand differently; use the name of a city, such as \
                       Europe/Berlin";
        Err(refused("ambiguous_time_zone", message))
    }
}

fn refused(code: &'static str, message: &str) -> ApiError {
    ApiError::InvalidFields(vec![Problem::of_parameter(FIELD, code, message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_spelt_as_usual_and_a_part_of_one_is_none() {
        let named = |name: &str| ProjectZone::named(name).map(|zone| zone.name);
        assert_eq!(named("europe/BERLIN").as_deref(), Some("Europe/Berlin"));
        assert_eq!(named("Asia/Calcutta").as_deref(), Some("Asia/Calcutta"));
        assert_eq!(named("utc").as_deref(), Some("UTC"));
        for name in ["", "Berlin", "Europe", "UTC+3", "+02:00", "../etc/passwd", "/etc/localtime", &"x".repeat(65)] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
