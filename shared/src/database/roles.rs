//! Roles: what each service, and whoever reads with other tools, may do in PostgreSQL.
//!
//! Three roles without a login belong to the schema. An operator makes users who log in, and grants each one of them.
//!
//! - `rollcall_api` reads everything that answers need, and writes only what administration changes. It cannot write
//!   events.
//! - `rollcall_worker` writes events, dictionaries and rollups. It owns the tables of events and identities with their
//!   partitions, because only an owner can attach or drop a partition or build an index. It sees no keys, and of
//!   projects it changes only the counters of the dictionaries and from when on events are kept.
//! - `rollcall_reader` reads the view `event_log`.
//!
//! Migrations grant nothing, because the roles may be missing: they belong to the whole server, and not everybody may
//! create them. Instead, `grants.sql` lists what each role may do with every table, and after every migration what is
//! missing is granted. A migration that adds a table adds it to this list.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// Attempts if another database of the same server is getting its roles at the same moment.
const MAX_ATTEMPTS: usize = 20;
/// Delay between two attempts. Each takes milliseconds.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Brings the roles, and what they may do, up to date. A user who may not do so is not an error: everything works with
/// the one user who owns the tables.
///
/// # Errors
/// Only if PostgreSQL does not answer or is not well.
pub(super) async fn ensure(pool: &PgPool) -> Result<(), sqlx::Error> {
    let policy = ConstantBuilder::new().with_delay(RETRY_DELAY).with_max_times(MAX_ATTEMPTS);
    let ensured = (|| attempt(pool)).retry(policy).when(is_conflict).await;
    match ensured {
        Err(error) if has_code(&error, &["42501"]) => {
            let error = &error as &dyn std::error::Error;
            tracing::info!(
                error,
                "the roles rollcall_api, rollcall_worker and rollcall_reader are not up to date, because the user who migrates \
                 may not create or grant them; docs/operations.md has the statements"
            );
            Ok(())
        }
        ensured => ensured,
    }
}

async fn attempt(pool: &PgPool) -> Result<(), sqlx::Error> {
    // In one transaction, under a lock of this database, so that two replicas do not grant the same at once.
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(include_str!("roles/lock.sql")).execute(&mut *transaction).await?;
    sqlx::raw_sql(include_str!("roles/create.sql")).execute(&mut *transaction).await?;
    sqlx::raw_sql(include_str!("roles/grants.sql")).execute(&mut *transaction).await?;
    transaction.commit().await?;
    let mut connection = pool.acquire().await?;
    let tables: Vec<String> = sqlx::query_scalar(include_str!("roles/foreign_tables.sql")).fetch_all(&mut *connection).await?;
    for table in tables {
        hand_over(&mut connection, &table).await?;
    }
    Ok(())
}

/// Makes workers the owners of a table. This waits for everybody who uses the table, while others wait for it, so it
/// is tried only for a moment: whoever owned the table before goes on to do so until the next migration.
async fn hand_over(connection: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
    // The name comes quoted from the catalog.
    let statements = format!("begin; set local lock_timeout = '2s'; alter table {table} owner to rollcall_worker; commit");
    let Err(error) = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *connection).await else { return Ok(()) };
    sqlx::raw_sql("rollback").execute(connection).await?;
    if !has_code(&error, &["55P03", "40P01"]) {
        return Err(error);
    }
    tracing::warn!(table, "workers do not own this table yet, because somebody uses it; the next migration tries again");
    Ok(())
}

/// Whether another session created or granted the same at the same time: duplicate_object, unique_violation, or a row
/// of a catalog that somebody else updated, for which there is no code of its own.
fn is_conflict(error: &sqlx::Error) -> bool {
    has_code(error, &["42710", "23505", "XX000"])
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&code.as_ref()))
}
