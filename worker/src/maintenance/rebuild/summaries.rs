//! Sessions and users: what their rows say of each, compared and inserted by PostgreSQL.

use sqlx::PgConnection;

use super::error::RebuildError;

/// Replaces the sessions of a project if any is wrong; returns how many were.
pub(super) async fn sessions(connection: &mut PgConnection, project: i32, dry_run: bool) -> Result<u64, RebuildError> {
    let found =
        sqlx::query_file!("sql/maintenance/rebuild/count_wrong_sessions.sql", project).fetch_one(&mut *connection).await?;
    if found.wrong > 0 && !dry_run {
        sqlx::query_file!("sql/maintenance/rebuild/delete_sessions.sql", project).execute(&mut *connection).await?;
        sqlx::query_file!("sql/maintenance/rebuild/insert_sessions.sql", project).execute(connection).await?;
    }
    Ok(found.wrong.unsigned_abs())
}

/// The same for users.
pub(super) async fn users(connection: &mut PgConnection, project: i32, dry_run: bool) -> Result<u64, RebuildError> {
    let found = sqlx::query_file!("sql/maintenance/rebuild/count_wrong_users.sql", project).fetch_one(&mut *connection).await?;
    if found.wrong > 0 && !dry_run {
        sqlx::query_file!("sql/maintenance/rebuild/delete_users.sql", project).execute(&mut *connection).await?;
        sqlx::query_file!("sql/maintenance/rebuild/insert_users.sql", project).execute(connection).await?;
    }
    Ok(found.wrong.unsigned_abs())
}
