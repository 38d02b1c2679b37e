//! Export: rows of days that are over become parts.
//!
//! One day is archived in these steps, each of which may be the last before a crash:
//!
//! 1. The rows of one snapshot that the archive does not have are written into temporary files.
//! 2. Files that no manifest names, left by an earlier run, are deleted; the new ones are written and read back.
//! 3. The manifest with the new parts replaces the old one. From here on, the day is archived.
//! 4. The registry records it.
//!
//! A run that was interrupted is repeated: before step 3 nothing counts, and after it no row is new.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use rollcall_shared::database::Lease;
use sqlx::PgPool;

use crate::identities::Identities;
use crate::manifest::{self, Manifest, Part};
use crate::part::{Finished, PartWriter};
use crate::registry::{self, RegisteredDay};
use crate::rows::{self, Fingerprint, Table};
use crate::{ArchiveDay, ArchiveError, Lock, Pace, Progress, Selection, Store, clock, frozen, verify};

/// A part ends after this many rows: some hundred megabytes at most, which a reader can get at once.
const PART_ROWS: u64 = 2_000_000;

/// The first date that events can have.
pub(crate) const FIRST_DATE: Date = jiff::civil::date(1970, 1, 1);

/// What to archive, and how.
#[derive(Debug)]
pub struct Exporting<'a> {
    /// The days.
    pub selection: &'a Selection,
    /// How many days ago a day must have ended.
    pub after_days: i32,
    /// How much of its time the work takes.
    pub pace: Pace,
}

/// What a run has done.
#[derive(Debug, Default)]
pub struct Exported {
    /// Days of which rows were archived, each with their number.
    pub days: Vec<(ArchiveDay, u64)>,
    /// Days of which the archive had everything.
    pub unchanged: u64,
    /// Days that could not be archived. The others were.
    pub failures: Vec<Failure>,
}

/// A day with which something is wrong.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub day: ArchiveDay,
    /// What is wrong.
    pub error: ArchiveError,
}

/// Archives every day of the selection that has been over for long enough and has rows that the archive lacks.
///
/// # Errors
/// PostgreSQL or the store does not answer. What concerns single days is among the results.
pub async fn export(
    pool: &PgPool,
    store: &Store,
    lock: &mut Lock,
    Exporting { selection, after_days, pace }: Exporting<'_>,
    progress: &dyn Progress,
) -> Result<Exported, ArchiveError> {
    let mut archiver = Archiver { pool, store, lock, pace, progress };
    // Nobody waits for an export: it takes one processor of the server and leaves the others.
    sqlx::raw_sql("set max_parallel_workers_per_gather = 0").execute(archiver.lock.connection()).await?;
    rows::check_project(archiver.lock.connection(), selection).await?;
    frozen::finish_all(&mut archiver).await?;
    let until = clock::today(archiver.lock.connection()).await?.saturating_sub(after_days.days());
    let to = selection.to.map_or(until, |to| until.min(to.saturating_add(1.day())));
    let from = selection.from.unwrap_or(FIRST_DATE);
    let mut days = rows::days(archiver.lock.connection(), &Table::Events, (from, to)).await?;
    days.retain(|(day, _)| selection.contains(&day.project, day.date));
    let registered = by_day(registry::all(archiver.lock.connection()).await?);
    let mut exported = Exported::default();
    let found = days.len() as u64;
    days.retain(|(day, here)| registered.get(day).is_none_or(|registered| registered.here != *here));
    exported.unchanged = found - days.len() as u64;
    progress.expect(days.iter().map(|(_, here)| here.rows).sum());
    let mut waiting = days.len() as u64;
    progress.wait_for_days(waiting);
    for (day, _) in days {
        archiver.pace.rest().await;
        match archiver.archive(&Table::Events, &day, registered.get(&day)).await {
            Ok(Archived { added: 0, .. }) => exported.unchanged += 1,
            Ok(Archived { added, manifest }) => {
                progress.say(&format!("{day}: {added} rows archived, generation {}", manifest.generation));
                exported.days.push((day, added));
            }
            Err(error) if error.is_about_one_day() => {
                exported.failures.push(Failure { day, error });
                continue;
            }
            Err(error) => return Err(error),
        }
        waiting -= 1;
        progress.wait_for_days(waiting);
    }
    Ok(exported)
}

/// The registry, for looking days up.
pub(crate) fn by_day(registered: Vec<RegisteredDay>) -> HashMap<ArchiveDay, RegisteredDay> {
    registered.into_iter().map(|registered| (registered.day.clone(), registered)).collect()
}

/// What archives days.
pub(crate) struct Archiver<'a> {
    pub(crate) pool: &'a PgPool,
    pub(crate) store: &'a Store,
    pub(crate) lock: &'a mut Lock,
    pub(crate) pace: Pace,
    pub(crate) progress: &'a dyn Progress,
}

/// A day that is archived.
pub(crate) struct Archived {
    pub(crate) manifest: Manifest,
    /// How many rows the archive did not have before.
    pub(crate) added: u64,
}

/// New rows of a day, in temporary files.
struct NewRows {
    parts: Vec<Finished>,
    /// All rows of the day in the table.
    here: Fingerprint,
}

impl Archiver<'_> {
    /// Archives the rows of a day that the archive does not have yet.
    pub(crate) async fn archive(
        &mut self,
        table: &Table,
        day: &ArchiveDay,
        registered: Option<&RegisteredDay>,
    ) -> Result<Archived, ArchiveError> {
        let mut manifest = self.manifest(day, registered).await?;
        let known = Identities::of(self.store, &manifest).await?;
        let new = self.read(table, day, &known).await?;
        drop(known);
        let added = new.parts.iter().map(|part| part.rows).sum();
        if added > 0 {
            self.write(&mut manifest, new.parts).await?;
        }
        // The rows of a partition that was taken out are not in the table any more.
        let here = if *table == Table::Events { new.here } else { Fingerprint { rows: 0, ids: "0".to_owned() } };
        registry::record(self.lock.connection(), day, &manifest, &here).await?;
        Ok(Archived { manifest, added })
    }

    /// What the archive has of a day.
    async fn manifest(&self, day: &ArchiveDay, registered: Option<&RegisteredDay>) -> Result<Manifest, ArchiveError> {
        let found = self.store.manifest(&day.project, day.date).await?;
        let generation = registered.map_or(0, |registered| registered.generation);
        let is_dropped = registered.is_some_and(|registered| registered.dropped_generation.is_some());
        match found {
            Some(manifest) if manifest.generation >= generation => Ok(manifest),
            // Without the rows that are only there, nobody could tell which ones are missing.
            _ if is_dropped => Err(ArchiveError::Missing { path: format!("{}/{}", day.folder(), manifest::FILE) }),
            _ => {
                if generation > 0 {
                    tracing::warn!(%day, "the archive has lost this day, or is another one; the day is archived again");
                }
                Ok(Manifest { generation, ..Manifest::empty(&day.project, day.date) })
            }
        }
    }

    /// Reads the rows that the archive does not have, all of one snapshot.
    async fn read(&mut self, table: &Table, day: &ArchiveDay, known: &Identities) -> Result<NewRows, ArchiveError> {
        let mut lease = Lease::acquire(self.pool).await?;
        sqlx::raw_sql(include_str!("../sql/begin_snapshot.sql")).execute(&mut *lease).await?;
        let here = rows::fingerprint(&mut lease, table, day).await?;
        rows::declare(&mut lease, table, day).await?;
        sqlx::raw_sql("commit").execute(&mut *lease).await?;
        let (mut parts, mut part, mut read) = (Vec::new(), PartWriter::new(day)?, 0);
        loop {
            let rows = rows::fetch(&mut lease).await?;
            if rows.is_empty() {
                break;
            }
            read += rows.len() as u64;
            for stored in &rows {
                let row = stored.row()?;
                if !known.contains(stored.identity()?, row.undated) && part.push(&row) {
                    part = part.flush().await?;
                }
            }
            if part.rows() >= PART_ROWS {
                parts.push(part.finish().await?);
                part = PartWriter::new(day)?;
            }
            self.progress.advance(rows.len() as u64);
            self.pace.rest().await;
        }
        rows::close(&mut lease).await?;
        lease.give_back();
        if read != here.rows {
            return Err(ArchiveError::Disagreement { what: day.to_string(), expected: here.rows, found: read });
        }
        if part.rows() > 0 {
            parts.push(part.finish().await?);
        }
        Ok(NewRows { parts, here })
    }

    /// Writes new parts, reads them back, and then writes the manifest with them.
    async fn write(&mut self, manifest: &mut Manifest, finished: Vec<Finished>) -> Result<(), ArchiveError> {
        let generation = manifest.generation + 1;
        let part = |(index, finished): (usize, &Finished)| Part {
            file: Part::name(manifest.parts.len() + index + 1, &finished.sha256),
            generation,
            rows: finished.rows,
            bytes: finished.bytes,
            sha256: finished.sha256.clone(),
        };
        let parts: Vec<Part> = finished.iter().enumerate().map(part).collect();
        let rows = parts.iter().map(|part| part.rows).sum();
        let bytes = parts.iter().map(|part| part.bytes).sum();
        self.delete_strays(manifest).await?;
        for (part, finished) in parts.iter().zip(finished) {
            self.store.write(&manifest.path_of(part), finished.file, finished.bytes).await?;
            verify::part(self.store, manifest, part).await?;
        }
        manifest.generation = generation;
        manifest.add(parts);
        self.lock.check().await?;
        self.store.write_manifest(manifest).await?;
        self.progress.archived(rows, bytes);
        Ok(())
    }

    /// Deletes files that no manifest names: a run that was interrupted left them, and readers who take every file
    /// would find their rows twice.
    async fn delete_strays(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        for object in self.store.list(&manifest.folder()).await? {
            let name = object.path.rsplit('/').next().unwrap_or_default();
            let is_part = name.starts_with("part-") && name.ends_with(".parquet");
            if is_part && manifest.parts.iter().all(|part| part.file != name) {
                tracing::info!(path = object.path, "a file that an interrupted run left is deleted");
                self.store.delete(&object.path).await?;
            }
        }
        Ok(())
    }
}
