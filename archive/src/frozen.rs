//! Frozen partitions: taken out of `events`, and not dropped yet.
//!
//! Nobody can add rows to them any more. Rows that came between the archiving and the swap are archived now; then the
//! table is dropped. A process that is killed in between leaves the table, and whoever has the lock next goes on.

use jiff::civil::Date;
use sqlx::AssertSqlSafe;

use crate::ArchiveError;
use crate::export::{Archiver, FIRST_DATE, by_day};
use crate::registry;
use crate::rows::{self, Table};

/// A date after all that events can have.
const LAST_DATE: Date = jiff::civil::date(9999, 12, 30);

/// The name of a partition after it was taken out.
pub(crate) fn name(partition: &str) -> String {
    format!("{partition}_frozen")
}

/// Finishes what a run that was killed has left.
pub(crate) async fn finish_all(archiver: &mut Archiver<'_>) -> Result<(), ArchiveError> {
    let tables = sqlx::query_file!("sql/select_frozen.sql").fetch_all(archiver.lock.connection()).await?;
    for table in tables {
        tracing::info!(table = table.name, "going on with a partition that an interrupted run has taken out");
        finish(archiver, table.name).await?;
    }
    Ok(())
}

/// Archives what the archive lacks of a frozen partition, and drops it; returns how many rows it had.
pub(crate) async fn finish(archiver: &mut Archiver<'_>, table: String) -> Result<u64, ArchiveError> {
    let table = Table::Frozen(table);
    let days = rows::days(archiver.lock.connection(), &table, (FIRST_DATE, LAST_DATE)).await?;
    let registered = by_day(registry::all(archiver.lock.connection()).await?);
    let mut total = 0;
    for (day, found) in days {
        total += found.rows;
        let registered = registered.get(&day);
        let generation = match registered {
            // The rows that were archived, and no others.
            Some(registered) if registered.here == found => registered.generation,
            _ => archiver.archive(&table, &day, registered).await?.manifest.generation,
        };
        registry::record_dropped(archiver.lock.connection(), &day, generation).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("drop table {table}"))).execute(archiver.lock.connection()).await?;
    Ok(total)
}
