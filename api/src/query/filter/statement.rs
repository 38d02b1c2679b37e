//! Statements over event rows in which a property and filters are put.
//!
//! The statements are files of `api/sql` that are valid as they stand; two comments mark the places.

use sqlx::postgres::PgArguments;
use sqlx::{Postgres, QueryBuilder};

use super::{Filters, Property};

const PROPERTY_MARK: &str = "/* property */ null::text";
const FILTERS_MARK: &str = "/* filters */";

/// The statement with the text of a property, if one is wanted, and with the filters.
///
/// `arguments` are those of the file; further ones follow them.
pub(in crate::query) fn over_rows(
    file: &'static str,
    arguments: PgArguments,
    property: Option<&Property>,
    filters: &Filters,
) -> QueryBuilder<Postgres> {
    let (head, rest) = file.split_once(PROPERTY_MARK).unwrap_or((file, ""));
    let (middle, tail) = rest.split_once(FILTERS_MARK).unwrap_or((rest, ""));
    let mut sql = QueryBuilder::with_arguments(head, arguments);
    match property {
        Some(property) => property.push_text(&mut sql),
        None => _ = sql.push("null::text"),
    }
    sql.push(middle);
    filters.push_sql(&mut sql);
    sql.push(tail);
    sql
}
