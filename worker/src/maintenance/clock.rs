//! The clock: today's date according to the database.
//!
//! A worker with a wrong clock would create partitions for the wrong days. Therefore all workers use
//! PostgreSQL's clock, and a worker whose own clock differs logs a warning.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use metrics::gauge;
use sqlx::PgPool;

use crate::error::StoreError;

/// Smaller differences between the clocks are ignored. With NTP, they are milliseconds.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// Today in UTC by the database's clock.
///
/// # Errors
/// Only if PostgreSQL does not answer.
pub(crate) async fn today(pool: &PgPool) -> Result<Date, StoreError> {
    let asked = Timestamp::now();
    let now = sqlx::query_file!("sql/maintenance/select_now.sql").fetch_one(pool).await?.now.to_jiff();
    let offset = offset(asked, now, Timestamp::now());
    gauge!("rollcall_clock_offset_seconds").set(offset.as_secs_f64());
    if offset.abs() > TOLERANCE {
        let offset_secs = offset.as_secs();
        tracing::warn!(offset_secs, "this worker's clock differs from PostgreSQL's, which decides about partitions");
    }
    Ok(now.to_zoned(TimeZone::UTC).date())
}

/// How far the worker's clock is ahead of PostgreSQL's, which showed `there` at some moment between
/// `asked` and `answered` on the worker's clock.
fn offset(asked: Timestamp, there: Timestamp, answered: Timestamp) -> SignedDuration {
    if there < asked {
        asked.duration_since(there)
    } else if there > answered {
        answered.duration_since(there)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_takes_long_is_no_offset() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        for (there, offset_secs) in [(40, 60), (100, 0), (130, 0), (160, 0), (190, -30)] {
            assert_eq!(offset(at(100), at(there), at(160)).as_secs(), offset_secs, "{there}");
        }
    }
}
