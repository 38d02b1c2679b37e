//! What a merge that was interrupted has left: it is removed, and the merge begins again.

use sqlx::{Connection, PgConnection};

use super::MergeError;
use super::statement;
use crate::maintenance::busy::{Attempts, set_timeouts};
use crate::maintenance::table::Table;

/// Whether there is any of a table.
pub(super) async fn is_there(connection: &mut PgConnection, table: Table) -> Result<bool, MergeError> {
    let captured = sqlx::query_file!("sql/maintenance/merge/select_captured.sql", table.name());
    let leftovers = sqlx::query_file!("sql/maintenance/merge/select_leftovers.sql", table.name());
    Ok(captured.fetch_optional(&mut *connection).await?.is_some() || leftovers.fetch_optional(connection).await?.is_some())
}

/// Removes it all. Tables called `…_merged` have been replaced already; the others have replaced nothing.
pub(super) async fn remove(connection: &mut PgConnection) -> Result<(), MergeError> {
    for table in Table::ALL {
        let captured = sqlx::query_file!("sql/maintenance/merge/select_captured.sql", table.name());
        for partition in captured.fetch_all(&mut *connection).await? {
            drop_trigger(connection, &partition.name).await?;
        }
        sqlx::query(statement::forget_late(table)).execute(&mut *connection).await?;
        let leftovers = sqlx::query_file!("sql/maintenance/merge/select_leftovers.sql", table.name());
        for leftover in leftovers.fetch_all(&mut *connection).await? {
            sqlx::query(statement::drop_table(&leftover.name)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

async fn drop_trigger(connection: &mut PgConnection, partition: &str) -> Result<(), MergeError> {
    let mut attempts = Attempts::at(format!("the table {partition}"));
    loop {
        match try_to_drop_trigger(connection, partition).await {
            Ok(()) => return Ok(()),
            Err(error) => attempts.wait_after(error).await?,
        }
    }
}

async fn try_to_drop_trigger(connection: &mut PgConnection, partition: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    set_timeouts(&mut transaction).await?;
    sqlx::query(statement::drop_trigger(partition)).execute(&mut *transaction).await?;
    transaction.commit().await
}
