//! The mark: from when on a project keeps its events, as every worker and the API see it. Moving it comes before anything
//! is deleted.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::error::ExpireError;
use super::project::Project;
use crate::maintenance::busy::{Attempts, set_timeouts};

/// Who has the events deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// A worker, by itself.
    Worker,
    /// Somebody at the command line, which the audit log says.
    Operator,
}

/// Where to move the marks of a project. What is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kept_from: Option<Date>,
    pub(super) counts_kept_from: Option<Date>,
}

impl Mark {
    /// Moves the marks, but not back.
    ///
    /// # Errors
    /// [`ExpireError::Busy`] if workers store earlier events of the project without a pause, and those of the database.
    pub(super) async fn set(self, connection: &mut PgConnection, project: &Project, author: Author) -> Result<(), ExpireError> {
        if self.kept_from.is_none() && self.counts_kept_from.is_none() {
            return Ok(());
        }
        let mut attempts = Attempts::at(format!("the project {}", project.name));
        while let Err(error) = self.try_to_set(connection, project, author).await {
            attempts.wait_after(error).await?;
        }
        Ok(())
    }

    async fn try_to_set(self, connection: &mut PgConnection, project: &Project, author: Author) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        set_timeouts(&mut transaction).await?;
        let row = sqlx::query_file!("sql/maintenance/expire/lock_project.sql", project.id).fetch_one(&mut *transaction).await?;
        let before = Self { kept_from: row.kept_from.map(Date::from), counts_kept_from: row.counts_kept_from.map(Date::from) };
        let after = Self {
            kept_from: before.kept_from.max(self.kept_from),
            counts_kept_from: before.counts_kept_from.max(self.counts_kept_from),
        };
        if let Some(day) = after.kept_from.filter(|_| after.kept_from != before.kept_from) {
            sqlx::query_file!("sql/maintenance/expire/update_kept_from.sql", project.id, day.to_sqlx() as _)
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(day) = after.counts_kept_from.filter(|_| after.counts_kept_from != before.counts_kept_from) {
            sqlx::query_file!("sql/maintenance/expire/update_counts_kept_from.sql", project.id, day.to_sqlx() as _)
                .execute(&mut *transaction)
                .await?;
        }
        if after != before && author == Author::Operator {
            before.record_change(after, project, &mut transaction).await?;
        }
        transaction.commit().await
    }

    async fn record_change(self, after: Self, project: &Project, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let request_id = Uuid::now_v7().to_string();
        let insert =
            sqlx::query_file!("sql/maintenance/expire/insert_audit_log.sql", request_id, project.id, self.shown(), after.shown());
        insert.execute(connection).await.map(drop)
    }

    fn shown(self) -> Value {
        json!({ "kept_from": self.kept_from, "counts_kept_from": self.counts_kept_from })
    }
}
