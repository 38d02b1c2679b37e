//! Inserts a property and filters into statements over rows.
//!
//! The statements are files in `api/sql` that are also valid without these; two comments mark the places.

use sqlx::postgres::PgArguments;
use sqlx::{Postgres, QueryBuilder};

use super::{Filters, Property};

const PROPERTY_MARK: &str = "/* property */ null::text";
const FILTERS_MARK: &str = "/* filters */";

/// The statement with the text of the property, if there is one, and the filters.
///
/// `arguments` are those of the file. The parameters of the property and the filters follow them.
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
