//! Detaching: rows of archived days leave PostgreSQL, partition by partition.
//!
//! 1. Every day with rows in the partition must be archived as it is now, and its files are read back.
//! 2. In one transaction of milliseconds, an empty twin takes the place of the partition, and the registry records that
//!    the days have no rows here. From then on answers say so.
//! 3. Nobody can write to the old partition any more (`frozen`): it is counted again, what came in meanwhile is archived,
//!    and the table is dropped.
//!
//! The ledger stays, so events that are sent again are still duplicates; and so do the rollups.

use std::time::Duration;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::export::{Archiver, by_day};
use crate::registry::{self, RegisteredDay};
use crate::rows::{self, Table};
use crate::{ArchiveDay, ArchiveError, Lock, Pace, Progress, Store, frozen, verify};

/// How often the swap is tried while others use the partitions. Whoever waits for the locks of the swap waits as long
/// as it does, so each attempt is short (`set_swap_timeouts.sql`).
const MAX_ATTEMPTS: u32 = 60;
/// The delay between two attempts.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What to detach.
#[derive(Debug, Clone, Copy)]
pub struct Detaching {
    /// Partitions all of whose days are before this one.
    pub before: Date,
    /// Only say what would be done. The files are read back all the same.
    pub dry_run: bool,
}

/// What became of one partition.
#[derive(Debug)]
pub struct Detached {
    /// The partition.
    pub partition: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes, with its indexes.
    pub bytes: u64,
    /// Why it was not dropped, if it was not.
    pub kept_because: Option<String>,
}

/// A partition of `events`.
struct Partition {
    name: String,
    from: Date,
    to: Date,
    /// As PostgreSQL writes it.
    bound: String,
    bytes: u64,
}

/// Drops the rows of partitions that are archived completely. Those with rows that the archive lacks are kept.
///
/// # Errors
/// PostgreSQL or the store does not answer.
pub async fn detach(
    pool: &PgPool,
    store: &Store,
    lock: &mut Lock,
    detaching: Detaching,
    progress: &dyn Progress,
) -> Result<Vec<Detached>, ArchiveError> {
    let mut archiver = Archiver { pool, store, lock, pace: Pace::full_speed(), progress };
    if !detaching.dry_run {
        frozen::finish_all(&mut archiver).await?;
    }
    let partitions = select_partitions(archiver.lock.connection(), detaching.before).await?;
    let mut results = Vec::new();
    for partition in partitions {
        if let Some(detached) = detach_one(&mut archiver, &partition, detaching.dry_run).await? {
            results.push(detached);
        }
    }
    Ok(results)
}

async fn select_partitions(connection: &mut PgConnection, before: Date) -> Result<Vec<Partition>, ArchiveError> {
    let found = sqlx::query_file!("sql/select_partitions.sql", before.to_sqlx() as _).fetch_all(connection).await?;
    let partitions = found.into_iter().map(|found| Partition {
        name: found.name,
        from: found.from.to_jiff(),
        to: found.to.to_jiff(),
        bound: found.bound,
        bytes: found.bytes.unsigned_abs(),
    });
    Ok(partitions.collect())
}

/// Detaches a partition; `None` if it has no rows.
async fn detach_one(archiver: &mut Archiver<'_>, partition: &Partition, dry_run: bool) -> Result<Option<Detached>, ArchiveError> {
    let span = (partition.from, partition.to);
    let days = rows::days(archiver.lock.connection(), &Table::Events, span).await?;
    if days.is_empty() {
        return Ok(None);
    }
    let rows: u64 = days.iter().map(|(_, here)| here.rows).sum();
    archiver.progress.expect(rows);
    let detached =
        |rows, kept_because| Some(Detached { partition: partition.name.clone(), rows, bytes: partition.bytes, kept_because });
    let registered = by_day(registry::all(archiver.lock.connection()).await?);
    let mut generations = Vec::new();
    for (day, here) in days {
        match registered.get(&day).filter(|registered| registered.here == here) {
            None => return Ok(detached(rows, Some(format!("{day} has rows that are not archived")))),
            Some(registered) => match check(archiver.store, registered).await {
                Ok(generation) => generations.push((day, generation)),
                Err(error) if error.is_about_one_day() => return Ok(detached(rows, Some(error.to_string()))),
                Err(error) => return Err(error),
            },
        }
        archiver.progress.advance(here.rows);
    }
    if dry_run {
        return Ok(detached(rows, None));
    }
    swap(archiver.lock.connection(), partition, &generations).await?;
    let rows = frozen::finish(archiver, frozen::name(&partition.name)).await?;
    archiver.progress.say(&format!("{}: {rows} rows dropped", partition.name));
    Ok(detached(rows, None))
}

/// Reads the files of a day back; returns the generation that they are.
async fn check(store: &Store, registered: &RegisteredDay) -> Result<u32, ArchiveError> {
    verify::day(store, registered).await?;
    Ok(registered.generation)
}

/// Puts an empty twin in the place of a partition, and tries again while others use it.
async fn swap(
    connection: &mut PgConnection,
    partition: &Partition,
    generations: &[(ArchiveDay, u32)],
) -> Result<(), ArchiveError> {
    let mut attempt = 1;
    loop {
        match try_swap(connection, partition, generations).await {
            Err(ArchiveError::Database(error)) if is_lock_timeout(&error) && attempt < MAX_ATTEMPTS => {
                tracing::debug!(partition = partition.name, attempt, "the partition is in use; trying again");
            }
            swapped => return swapped,
        }
        attempt += 1;
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn try_swap(
    connection: &mut PgConnection,
    partition: &Partition,
    generations: &[(ArchiveDay, u32)],
) -> Result<(), ArchiveError> {
    let mut transaction = connection.begin().await?;
    sqlx::query_file!("sql/set_swap_timeouts.sql").fetch_one(&mut *transaction).await?;
    for (day, generation) in generations {
        registry::record_dropped(&mut transaction, day, *generation).await?;
    }
    let events = sqlx::query_file!("sql/select_events_owner.sql").fetch_one(&mut *transaction).await?;
    let (name, owner, bound) = (&partition.name, events.owner, &partition.bound);
    let frozen = frozen::name(name);
    // Nothing of this is a value: names and bounds come from the catalog. What others wait for comes last.
    for statement in [
        format!("create table {name}_twin (like events including defaults including constraints including storage)"),
        format!("alter table {name}_twin owner to {owner}"),
        format!("alter table events detach partition {name}"),
        format!("alter table {name} rename to {frozen}"),
        format!("alter table {name}_twin rename to {name}"),
        format!("alter table events attach partition {name} {bound}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| ["55P03", "40P01"].contains(&code.as_ref()))
}
