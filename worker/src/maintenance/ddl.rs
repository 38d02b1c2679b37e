//! DDL: statements whose table names are computed, so that they cannot be `.sql` files.
//!
//! The names come from constants of this crate, from dates, and from the catalog, never from input.

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection};

/// A partition to be created: the rows of `parent` whose `column` is at least `from` and below `to`.
#[derive(Debug)]
pub(super) struct NewPartition {
    pub(super) parent: &'static str,
    pub(super) column: &'static str,
    pub(super) from: Date,
    pub(super) to: Date,
}

impl NewPartition {
    /// The name of its table.
    pub(super) fn name(&self) -> String {
        format!("{}_{}_{}", self.parent, self.from.strftime("%Y%m%d"), self.to.strftime("%Y%m%d"))
    }

    /// Creates it as a table that is not attached yet.
    pub(super) async fn create(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (name, parent) = (self.name(), self.parent);
        let create = format!("create table {name} (like {parent} including defaults including constraints including storage)");
        execute(connection, create).await.map(drop)
    }

    /// Gives it to whoever owns the parent, so that every worker can build its indexes, whichever user has created it.
    pub(super) async fn give_to(&self, connection: &mut PgConnection, owner: &str) -> Result<(), sqlx::Error> {
        let name = self.name();
        execute(connection, format!("alter table {name} owner to {owner}")).await.map(drop)
    }

    /// Takes the locks that attaching needs later, in the same order.
    pub(super) async fn lock_parent(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let parent = self.parent;
        execute(connection, format!("lock table only {parent} in share update exclusive mode")).await?;
        execute(connection, format!("lock table {parent}_default in access exclusive mode")).await.map(drop)
    }

    /// Moves its rows out of the default partition; returns how many.
    pub(super) async fn move_rows(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let (name, Self { parent, column, from, to }) = (self.name(), self);
        let move_rows = format!(
            "with moved as (
                delete from {parent}_default
                where {column} >= '{from}' and {column} < '{to}'
                returning *
            )
            insert into {name} select * from moved"
        );
        execute(connection, move_rows).await
    }

    /// Attaches it to its parent.
    pub(super) async fn attach(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (name, Self { parent, from, to, .. }) = (self.name(), self);
        let attach = format!("alter table {parent} attach partition {name} for values from ('{from}') to ('{to}')");
        execute(connection, attach).await.map(drop)
    }
}

/// A B-tree that every partition of past days has.
#[derive(Debug)]
pub(super) struct BTree {
    /// Its name is that of the partition with this suffix.
    pub(super) suffix: &'static str,
    /// Its columns and condition.
    pub(super) on: &'static str,
}

impl BTree {
    /// Builds it on a table that no other session uses, and that is or becomes the partition.
    pub(super) async fn create(&self, connection: &mut PgConnection, partition: &str, table: &str) -> Result<(), sqlx::Error> {
        let Self { suffix, on } = self;
        execute(connection, format!("create index {partition}{suffix} on {table} {on}")).await.map(drop)
    }

    /// Builds it while others write to the table. This must not be part of a transaction.
    pub(super) async fn create_concurrently(&self, connection: &mut PgConnection, partition: &str) -> Result<(), sqlx::Error> {
        let Self { suffix, on } = self;
        execute_raw(connection, format!("create index concurrently {partition}{suffix} on {partition} {on}")).await
    }

    /// Drops the incomplete index that an interrupted build left. This must not be part of a transaction.
    pub(super) async fn drop_concurrently(&self, connection: &mut PgConnection, partition: &str) -> Result<(), sqlx::Error> {
        execute_raw(connection, format!("drop index concurrently {partition}{}", self.suffix)).await
    }
}

/// Returns how many rows the statement changed.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(statement)).execute(connection).await?.rows_affected())
}

/// Sends the statement without preparing it.
async fn execute_raw(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}
