//! The schema: whether the database has every migration that this build knows.

use std::time::Duration;

use backon::Retryable;
use sqlx::PgPool;

use super::MIGRATIONS;
use crate::backoff;

/// How long one look at the schema may take. A server that hangs is asked again.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a service does not begin yet.
#[derive(Debug, thiserror::Error)]
enum NotMigrated {
    /// The schema is older than this build.
    #[error("the schema lacks migration {version} ({description})")]
    Lacks { version: i64, description: String },
    /// PostgreSQL does not say which migrations were applied.
    #[error("PostgreSQL does not say which migrations were applied")]
    Database(#[from] sqlx::Error),
    /// PostgreSQL does not answer at all.
    #[error("PostgreSQL does not answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
}

/// Waits until every migration of this build was applied, by whoever may do so. A schema that is newer than this build
/// is no reason to wait, because migrations are made so that the programs of the version before can run on.
pub async fn wait_until_migrated(pool: &PgPool) {
    let warn = |error: &NotMigrated, delay: Duration| {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, delay_ms = delay.as_millis() as u64, "the schema is not up to date; run `rollcall migrate`");
    };
    // There is no limit of attempts, so this ends only with success.
    let _ = (|| check(pool)).retry(backoff::endless(backoff::MAX_SERVER_DELAY)).notify(warn).await;
}

async fn check(pool: &PgPool) -> Result<(), NotMigrated> {
    let select = sqlx::query_scalar(include_str!("schema/applied.sql"));
    let applied: Vec<i64> = match tokio::time::timeout(CHECK_TIMEOUT, select.fetch_all(pool)).await? {
        Ok(applied) => applied,
        // undefined_table: nobody has migrated yet.
        Err(error) if has_code(&error, "42P01") => Vec::new(),
        // insufficient_privilege: whoever migrates could not grant it, and then this cannot be checked.
        Err(error) if has_code(&error, "42501") => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match MIGRATIONS.iter().find(|migration| !applied.contains(&migration.version)) {
        Some(lacks) => Err(NotMigrated::Lacks { version: lacks.version, description: lacks.description.to_string() }),
        None => Ok(()),
    }
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}
