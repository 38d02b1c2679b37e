//! Whether one event is stored, asked of PostgreSQL directly.

use std::time::Duration;

use jiff_sqlx::ToSqlx;
use sqlx::PgPool;

use super::catalog::Catalog;

/// A server that was killed or stands still is not waited for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Identity and row are written in one transaction, and the identity is found by its index.
const STORED: &str = "select exists (select 1 from event_ids where project_id = 1 and event_id = $1 and day = $2)";

/// `None` if PostgreSQL does not answer.
pub(crate) async fn is_stored(pool: &PgPool, catalog: &Catalog, number: u64) -> Option<bool> {
    let (id, day) = catalog.identity(number);
    let asked = sqlx::query_scalar(STORED).bind(id).bind(day.to_sqlx()).fetch_one(pool);
    tokio::time::timeout(TIMEOUT, asked).await.ok()?.ok()
}
