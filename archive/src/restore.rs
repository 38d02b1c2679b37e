//! Restoring: rows that were dropped come back into `events`.
//!
//! Only rows: their identities and rollups never left. All files of a day are read and checked first. Then one
//! transaction inserts the rows and records that they are back, so a day is restored once, however often somebody tries.

use std::fs::File;

use sqlx::{Connection, PgConnection, PgPool};

use rollcall_shared::event::{identity, parse_uuid};
use rollcall_shared::project::ProjectId;

use crate::export::Archiver;
use crate::manifest::{Manifest, Part};
use crate::part::{PartReader, Row};
use crate::registry::{self, RegisteredDay};
use crate::rows::{self, Table};
use crate::{ArchiveDay, ArchiveError, Failure, Lock, Pace, Progress, Selection, Store, frozen, registered, verify};

/// Rows of one statement.
const CHUNK: usize = 5_000;

/// What was restored, or would be.
#[derive(Debug, Default)]
pub struct Restored {
    /// The days, each with its rows.
    pub days: Vec<(ArchiveDay, u64)>,
    /// Days that were not restored, because their files are missing or damaged. Nothing of them was inserted.
    pub failures: Vec<Failure>,
}

/// Restores the rows of the selected days that were dropped. With `dry_run`, only reads their files.
///
/// # Errors
/// PostgreSQL or the store does not answer. What concerns single days is among the results.
pub async fn restore(
    pool: &PgPool,
    store: &Store,
    lock: &mut Lock,
    (selection, dry_run): (&Selection, bool),
    progress: &dyn Progress,
) -> Result<Restored, ArchiveError> {
    if !dry_run {
        frozen::finish_all(&mut Archiver { pool, store, lock, pace: Pace::full_speed(), progress }).await?;
    }
    let mut days = registered(pool, selection).await?;
    days.retain(|day| day.dropped_generation.is_some());
    progress.expect(days.iter().map(|day| day.rows).sum());
    let mut restored = Restored::default();
    for registered in days {
        let result = async {
            let dropped = Dropped::fetch(store, &registered).await?;
            let rows = dropped.rows;
            if dry_run {
                progress.advance(rows);
            } else {
                dropped.insert(pool, lock, &registered.day, progress).await?;
                progress.say(&format!("{}: {rows} rows restored", registered.day));
            }
            Ok::<_, ArchiveError>(rows)
        };
        match result.await {
            Ok(rows) => restored.days.push((registered.day, rows)),
            Err(error) if error.is_about_one_day() => restored.failures.push(Failure { day: registered.day, error }),
            Err(error) => return Err(error),
        }
    }
    Ok(restored)
}

/// The parts of a day whose rows were dropped, on the disk of this machine.
struct Dropped {
    manifest: Manifest,
    parts: Vec<(Part, File)>,
    rows: u64,
    up_to: u32,
}

impl Dropped {
    async fn fetch(store: &Store, registered: &RegisteredDay) -> Result<Self, ArchiveError> {
        let manifest = verify::manifest_of(store, registered).await?;
        let up_to = registered.dropped_generation.unwrap_or_default();
        let (mut parts, mut rows) = (Vec::new(), 0);
        for part in manifest.parts.iter().filter(|part| part.generation <= up_to) {
            parts.push((part.clone(), store.fetch(&manifest, part).await?));
            rows += part.rows;
        }
        Ok(Self { manifest, parts, rows, up_to })
    }

    /// Inserts the rows and records it, in one transaction.
    async fn insert(self, pool: &PgPool, lock: &mut Lock, day: &ArchiveDay, progress: &dyn Progress) -> Result<(), ArchiveError> {
        let mut transaction = lock.connection().begin().await?;
        let found = registry::record_restored(&mut transaction, day).await?;
        if found != Some(self.up_to) {
            return Err(ArchiveError::Busy);
        }
        let mut inserted = 0;
        for (part, file) in self.parts {
            let damaged = |problem: String| ArchiveError::Damaged { path: self.manifest.path_of(&part), problem };
            let mut reader = PartReader::open(file).map_err(|error| damaged(error.to_string()))?;
            while let Some(group) = reader.next_group().map_err(|error| damaged(error.to_string()))? {
                let rows: Result<Vec<Row<'_>>, _> = group.rows().collect();
                let rows = rows.map_err(|error| damaged(error.to_string()))?;
                for chunk in rows.chunks(CHUNK) {
                    number_names(pool, day.project_id, chunk).await?;
                    inserted += insert_rows(&mut transaction, day.project_id, chunk).await?;
                    progress.advance(chunk.len() as u64);
                }
            }
        }
        if inserted != self.rows {
            return Err(ArchiveError::Disagreement { what: day.to_string(), expected: self.rows, found: inserted });
        }
        let here = rows::fingerprint(&mut transaction, &Table::Events, day).await?;
        registry::record(&mut transaction, day, &self.manifest, &here).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Gives numbers to event types and actors that have none any more. It is a transaction of its own, because workers wait
/// for the row of the project that holds the next numbers.
async fn number_names(pool: &PgPool, project: ProjectId, rows: &[Row<'_>]) -> Result<(), ArchiveError> {
    let types: Vec<&str> = rows.iter().map(|row| row.event_type).collect();
    sqlx::query_file!("sql/insert_missing_event_types.sql", project.0, &types as _).execute(pool).await?;
    let actors: Vec<&str> = rows.iter().filter_map(|row| row.user_id.or(row.anonymous_id).or(row.session_id)).collect();
    sqlx::query_file!("sql/insert_missing_users.sql", project.0, &actors as _).execute(pool).await?;
    Ok(())
}

/// Inserts rows; returns how many the server counted.
async fn insert_rows(connection: &mut PgConnection, project: ProjectId, rows: &[Row<'_>]) -> Result<u64, ArchiveError> {
    let identities: Vec<uuid::Uuid> = rows.iter().map(|row| identity(row.event_id)).collect();
    let written: Vec<Option<&str>> = rows.iter().map(|row| parse_uuid(row.event_id).is_none().then_some(row.event_id)).collect();
    let inserted = sqlx::query_file!(
        "sql/insert_restored_rows.sql",
        project.0,
        &column(rows, |row| row.event_type) as _,
        &column(rows, |row| row.occurred_at_us),
        &column(rows, |row| row.received_at_us),
        &identities,
        &written as _,
        &column(rows, |row| row.user_id) as _,
        &column(rows, |row| row.anonymous_id) as _,
        &column(rows, |row| row.session_id) as _,
        &column(rows, |row| row.account_id) as _,
        &column(rows, |row| row.properties) as _,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected())
}

fn column<'a, T>(rows: &[Row<'a>], value: impl Fn(&Row<'a>) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
