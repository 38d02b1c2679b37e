//! Reads the rows of a funnel into memory, for one slice of the people at a time.

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use rollcall_shared::project::ProjectId;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, PgConnection, Row};
use uuid::Uuid;

use super::chain::{Occurrence, Value};
use super::{BREAKDOWN, too_large};
use crate::error::ApiError;
use crate::query::filter::{Filters, Property, over_rows};
use crate::query::value::{MAX_VALUES, Values};

const ROWS: &str = include_str!("../../../sql/funnel/rows.sql");

/// Most events of any slice, which is the memory that a funnel takes. A few people with very many events make
/// their slice larger than the others.
const MAX_OF_SLICE: usize = 6_000_000;

const _: () = assert!(MAX_VALUES < Value::END);

/// The selection of rows.
pub(super) struct Wanted<'a> {
    pub(super) project: ProjectId,
    /// The numbers of the event types of the steps, each once, beginning with that of the first step.
    pub(super) kinds: &'a [i32],
    pub(super) start: Timestamp,
    /// The end of the period for entries, exclusive.
    pub(super) end: Timestamp,
    pub(super) within: SignedDuration,
    pub(super) breakdown: Option<&'a Property>,
    pub(super) filters: &'a Filters,
}

/// A slice: the people whose number has a certain remainder when divided by the number of slices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) number: i32,
    pub(super) of: i32,
}

impl Wanted<'_> {
    /// Reads the events of a slice of the people, in any order.
    ///
    /// # Errors
    /// Those of the database, [`ApiError::Parameters`] if the property has too many values, and
    /// [`ApiError::TooSlow`] if the slice has too many events.
    pub(super) async fn read(
        &self,
        connection: &mut PgConnection,
        slice: Slice,
        values: &mut Values,
        room: usize,
    ) -> Result<Vec<Occurrence>, ApiError> {
        let arguments = self.arguments(slice).map_err(ApiError::Internal)?;
        let mut sql = over_rows(ROWS, arguments, self.breakdown, self.filters);
        let mut occurrences = Vec::with_capacity(room);
        // PostgreSQL plans the statement each time for its actual values, because a generic plan would read
        // all partitions.
        let mut rows = sql.build().persistent(false).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            if occurrences.len() == MAX_OF_SLICE {
                return Err(too_large(format_args!("more than {MAX_OF_SLICE} in one of {} slices", slice.of)));
            }
            occurrences.push(self.occurrence(&row, values)?);
        }
        Ok(occurrences)
    }

    fn arguments(&self, slice: Slice) -> Result<PgArguments, sqlx::error::BoxDynError> {
        let end = self.end.saturating_add(self.within).unwrap_or(Timestamp::MAX);
        let mut arguments = PgArguments::default();
        arguments.add(self.project.0)?;
        arguments.add(self.kinds)?;
        arguments.add(self.start.to_sqlx())?;
        arguments.add(end.to_sqlx())?;
        arguments.add(self.kinds[0])?;
        arguments.add(slice.of)?;
        arguments.add(slice.number)?;
        Ok(arguments)
    }

    fn occurrence(&self, row: &PgRow, values: &mut Values) -> Result<Occurrence, ApiError> {
        let kind: i32 = row.try_get(1)?;
        let at: jiff_sqlx::Timestamp = row.try_get(2)?;
        let value = Value::new(values.number_of(row.try_get(4)?, BREAKDOWN)?);
        Ok(Occurrence {
            user: row.try_get::<i32, _>(0)?.cast_unsigned(),
            at_us: at.to_jiff().as_microsecond(),
            id: row.try_get::<Uuid, _>(3)?.into_bytes(),
            // A linear search is enough, because there are at most ten types.
            kind: self.kinds.iter().position(|one| *one == kind).unwrap_or(0) as u8,
            value,
        })
    }
}
