//! The rows of PostgreSQL: which days have some, how many, and the rows themselves.
//!
//! A day's *fingerprint* is the number of its rows and the sum of a hash of their ids. As long as it stays the same,
//! nothing was added or removed. The table is `events`, or a partition that was taken out of it (`frozen`).

use std::fmt;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use rollcall_shared::project::ProjectId;

use crate::part::Row;
use crate::{ArchiveDay, ArchiveError, day};

/// Which days something is done with.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The name of the only project; all if absent.
    pub project: Option<String>,
    /// The first date.
    pub from: Option<Date>,
    /// The last date.
    pub to: Option<Date>,
}

/// Checks that there is a project of the selection's name, which may be misspelt.
pub(crate) async fn check_project(connection: &mut PgConnection, selection: &Selection) -> Result<(), ArchiveError> {
    let Some(project) = &selection.project else { return Ok(()) };
    let found = sqlx::query_file!("sql/select_project_exists.sql", project).fetch_one(connection).await?;
    if found.exists { Ok(()) } else { Err(ArchiveError::UnknownProject(project.clone())) }
}

/// What a day looks like, in short.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint {
    pub(crate) rows: u64,
    /// The sum of a hash of the ids, in decimal: more digits than an integer has.
    pub(crate) ids: String,
}

/// The table that rows are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Table {
    /// All partitions.
    Events,
    /// A partition that was taken out.
    Frozen(String),
}

/// The columns of a row as they come from PostgreSQL.
pub(crate) struct StoredRow(PgRow);

impl Selection {
    /// Whether it contains this project and date.
    #[must_use]
    pub fn contains(&self, project: &str, date: Date) -> bool {
        self.project.as_ref().is_none_or(|only| only == project)
            && self.from.is_none_or(|from| from <= date)
            && self.to.is_none_or(|to| date <= to)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            // The name comes from the catalog, where it matches a pattern of letters, digits and underscores.
            Self::Frozen(name) => f.write_str(name),
        }
    }
}

impl Table {
    /// A statement about `events`, for this table.
    fn statement(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("from events ", &format!("from {self} ")))
    }
}

impl StoredRow {
    /// The identity of its event.
    pub(crate) fn identity(&self) -> Result<Uuid, sqlx::Error> {
        self.0.try_get("identity")
    }

    /// The row as a part has it.
    pub(crate) fn row(&self) -> Result<Row<'_>, sqlx::Error> {
        let row = &self.0;
        Ok(Row {
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            user_id: row.try_get("user_id")?,
            anonymous_id: row.try_get("anonymous_id")?,
            session_id: row.try_get("session_id")?,
            account_id: row.try_get("account_id")?,
            occurred_at_us: row.try_get("occurred_at_us")?,
            received_at_us: row.try_get("received_at_us")?,
            undated: row.try_get("undated")?,
            properties: row.try_get("properties")?,
        })
    }
}

/// The days of a table that have rows from `from` (inclusive) to `to` (exclusive), oldest first.
pub(crate) async fn days(
    connection: &mut PgConnection,
    table: &Table,
    (from, to): (Date, Date),
) -> Result<Vec<(ArchiveDay, Fingerprint)>, ArchiveError> {
    let rows = sqlx::query(table.statement(include_str!("../sql/select_days.sql")))
        .bind(day::start(from).to_sqlx())
        .bind(day::start(to).to_sqlx())
        .fetch_all(connection)
        .await?;
    let days = rows.iter().map(|row| {
        let day = ArchiveDay {
            date: row.try_get::<jiff_sqlx::Date, _>("date")?.to_jiff(),
            project: row.try_get("project")?,
            project_id: ProjectId(row.try_get("project_id")?),
        };
        Ok((day, fingerprint_of(row)?))
    });
    days.collect()
}

/// The fingerprint of one day.
pub(crate) async fn fingerprint(
    connection: &mut PgConnection,
    table: &Table,
    day: &ArchiveDay,
) -> Result<Fingerprint, ArchiveError> {
    let (from, to) = day.span();
    let row = sqlx::query(table.statement(include_str!("../sql/select_fingerprint.sql")))
        .bind(day.project_id.0)
        .bind(from.to_sqlx())
        .bind(to.to_sqlx())
        .fetch_one(connection)
        .await?;
    Ok(fingerprint_of(&row)?)
}

fn fingerprint_of(row: &PgRow) -> Result<Fingerprint, sqlx::Error> {
    let rows: i64 = row.try_get("rows")?;
    Ok(Fingerprint { rows: u64::try_from(rows).unwrap_or_default(), ids: row.try_get("ids")? })
}

/// Opens a cursor over the rows of one day, sorted by person and time. It is there until it is closed, also after the commit.
pub(crate) async fn declare(connection: &mut PgConnection, table: &Table, day: &ArchiveDay) -> Result<(), sqlx::Error> {
    let (from, to) = day.span();
    sqlx::query(table.statement(include_str!("../sql/declare_rows.sql")))
        .persistent(false)
        .bind(day.project_id.0)
        .bind(from.to_sqlx())
        .bind(to.to_sqlx())
        .bind(day.date.to_sqlx())
        .execute(connection)
        .await
        .map(drop)
}

/// The next rows of the cursor; none after the last ones.
pub(crate) async fn fetch(connection: &mut PgConnection) -> Result<Vec<StoredRow>, sqlx::Error> {
    // The columns of a statement that was prepared before are those of an earlier cursor.
    let rows = sqlx::query(include_str!("../sql/fetch_rows.sql")).persistent(false).fetch_all(connection).await?;
    Ok(rows.into_iter().map(StoredRow).collect())
}

/// Closes the cursor.
pub(crate) async fn close(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("close archived_rows").execute(connection).await.map(drop)
}
