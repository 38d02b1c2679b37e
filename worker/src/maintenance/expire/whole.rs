//! Whole partitions: one in which every row has expired is dropped, which takes no time however many rows there are.
//!
//! Dropping locks the parent, so for a moment nobody reads or writes events. The lock is tried for less than a tenth of
//! a second at a time, because everybody who comes meanwhile queues behind it.

use jiff_sqlx::ToSqlx;
use sqlx::{Connection, PgConnection};

use super::error::ExpireError;
use super::partition::Partition;
use super::statement;
use crate::maintenance::busy::{Attempts, set_timeouts, took_too_long};
use crate::maintenance::lock::AdvisoryLock;

/// Drops a partition; false if it has rows that some project keeps, for example because they came just now.
///
/// # Errors
/// [`ExpireError::Busy`] if somebody uses the table without a pause, and those of the database.
pub(super) async fn drop(connection: &mut PgConnection, partition: &Partition) -> Result<bool, ExpireError> {
    if has_kept_rows(connection, partition).await? {
        return Ok(false);
    }
    let mut attempts = Attempts::at(format!("the table {}", partition.table.name()));
    loop {
        match try_to_drop(connection, partition).await {
            Ok(is_dropped) => return Ok(is_dropped),
            Err(error) => attempts.wait_after(error).await?,
        }
    }
}

async fn try_to_drop(connection: &mut PgConnection, partition: &Partition) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    set_timeouts(&mut transaction).await?;
    // A worker that is creating partitions holds it, and locks the same tables.
    AdvisoryLock::Partitions.wait_for_transaction(&mut transaction).await?;
    sqlx::query(statement::lock_parent(partition)).execute(&mut *transaction).await?;
    sqlx::query(statement::lock_partition(partition)).execute(&mut *transaction).await?;
    // Now nothing can come in any more.
    match has_kept_rows(&mut transaction, partition).await {
        Ok(false) => {}
        Ok(true) => {
            transaction.rollback().await?;
            return Ok(false);
        }
        // There is no index for it. The rows are then deleted in steps.
        Err(error) if took_too_long(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    sqlx::query(statement::drop_partition(partition)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn has_kept_rows(connection: &mut PgConnection, partition: &Partition) -> Result<bool, sqlx::Error> {
    let until = partition.until.map(ToSqlx::to_sqlx);
    sqlx::query_scalar(statement::has_kept_rows(partition)).bind(until).fetch_one(connection).await
}
