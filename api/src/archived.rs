//! Archived days: those whose rows were dropped from PostgreSQL.
//!
//! An answer from the rows must not leave them out silently. Statistics of such days from the rows are refused with the
//! days; a list ends before them, and its next page is refused. Rollups still have all days.

use std::fmt;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use rollcall_shared::day::Day;
use sqlx::PgConnection;

use crate::error::ApiError;

/// Days whose rows are not in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Archived {
    /// The first and the last of them, in UTC. Days in between may have their rows.
    pub(crate) first: Date,
    pub(crate) last: Date,
    pub(crate) days: i64,
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, days } = self;
        if *days == 1 { write!(f, "{first} in UTC") } else { write!(f, "{days} days from {first} to {last} in UTC") }
    }
}

/// The archived days of a project that a span of time touches; `None` if all its rows are there.
///
/// # Errors
/// Those of the database.
pub(crate) async fn between(
    connection: &mut PgConnection,
    project: i32,
    from_us: i64,
    to_us: i64,
) -> Result<Option<Archived>, ApiError> {
    if from_us >= to_us {
        return Ok(None);
    }
    let (first, last) = (Day::utc_of(from_us).date().to_sqlx(), Day::utc_of(to_us - 1).date().to_sqlx());
    let found = sqlx::query_file!("sql/archived/days.sql", project, first as _, last as _).fetch_one(connection).await?;
    let span = found.first.zip(found.last);
    Ok(span.map(|(first, last)| Archived { first: first.into(), last: last.into(), days: found.days }))
}
