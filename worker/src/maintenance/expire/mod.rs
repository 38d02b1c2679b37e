//! Expiry: deletes what projects keep no longer: events, their identities, and on demand the counts of their days.
//!
//! A project keeps the events of the current day and of as many days before it as `retention_days` says, in UTC and by
//! the clock of the database. The first of these days is its horizon (`project`). The identities of earlier events go too, so
//! nothing would recognise one of these events if it came again. Therefore the first step is always to move
//! `projects.kept_from` (`mark`): from then on no worker stores an earlier event, and the API does not answer from
//! earlier rows. This never moves back.
//!
//! Then the `partition`s are gone through, first those of events and then those of identities. One in which every row has
//! expired is dropped as a whole (`whole`); from others, rows are deleted in small steps (`steps`). At last, on demand, come
//! `counts`. Every step is a short transaction, and each is found again by looking at what is left. So a run may be
//! killed at any moment, and the next one goes on. A lock ensures that only one runs at a time (`turn`).
//!
//! Workers do this by themselves ([`run`]); `rollcall expire` does it at once, or shows what would go ([`preview`]).

mod busy;
mod counts;
mod error;
mod mark;
mod partition;
mod project;
mod report;
mod statement;
mod steps;
mod turn;
mod whole;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use metrics::{counter, gauge};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::error::ExpireError;
use self::mark::{Author, Mark};
use self::partition::{Census, Partition, Table};
use self::project::Project;
pub use self::report::{Expired, ExpiredCounts, ExpiryProgress};
use self::turn::Turn;
use crate::maintenance::{clock, every, index};

/// What to expire.
#[derive(Debug, Clone, Default)]
pub struct Expiry {
    /// The name of the only project to look at; all of them without it.
    pub project: Option<String>,
    /// Whether the counts of earlier days go too, with the sessions and users whose last event is older.
    pub with_counts: bool,
}

/// The horizons as of which everything was deleted.
#[derive(Debug, Default)]
struct Done(Mutex<Option<Vec<(i32, Date)>>>);

/// Deletes the expired events of all projects, at every interval until told to stop. Horizons move once a day, and when
/// somebody changes a project; between that, nothing is looked at.
pub(crate) async fn run(pool: &PgPool, interval: Duration, stop: &CancellationToken) {
    let done = Done::default();
    // A run may take long. A worker that is to stop abandons it, and the next run goes on.
    stop.run_until_cancelled(every("expire", interval, stop, || expire_in_turn(pool, &done))).await;
}

async fn expire_in_turn(pool: &PgPool, done: &Done) -> Result<(), ExpireError> {
    let started = Instant::now();
    let today = clock::today(pool).await?;
    let projects = project::all(&mut *pool.acquire().await?, today).await?;
    let horizons: Vec<(i32, Date)> = projects.iter().map(|project| (project.id, project.horizon)).collect();
    let mut done = done.0.lock().await;
    if done.as_ref() != Some(&horizons) {
        let Some(mut turn) = Turn::take(pool).await? else { return Ok(()) };
        index::seal(pool, today).await?;
        let outcome = Run::new(&mut turn, projects, None, &mut |_| {}).delete(Author::Worker, false).await;
        let expired = outcome.inspect_err(|_| counter!("rollcall_expire_failures_total").increment(1))?;
        turn.end().await?;
        for Expired { project, horizon, events, identities, partitions, .. } in expired {
            tracing::info!(project, %horizon, events, identities, partitions, "expired events were deleted");
        }
        gauge!("rollcall_expire_duration_seconds").set(started.elapsed().as_secs_f64());
        *done = Some(horizons);
    }
    gauge!("rollcall_expire_last_success_timestamp_seconds").set(Timestamp::now().as_second() as f64);
    Ok(())
}

/// Deletes what has expired, and enters it into the audit log.
///
/// # Errors
/// [`ExpireError`].
pub(crate) async fn expire(
    pool: &PgPool,
    expiry: &Expiry,
    progress: &mut (dyn FnMut(ExpiryProgress) + Send),
) -> Result<Vec<Expired>, ExpireError> {
    let Some(mut turn) = Turn::take(pool).await? else { return Err(turn::holder(pool).await?.into()) };
    let today = clock::today(pool).await?;
    // The steps find their rows in indexes, which another worker may be about to build.
    index::seal(pool, today).await?;
    let projects = project::all(&mut turn, today).await?;
    let selected = project::named(&projects, expiry.project.as_deref())?;
    let expired = Run::new(&mut turn, projects, selected, progress).delete(Author::Operator, expiry.with_counts).await?;
    turn.end().await?;
    Ok(expired)
}

/// Counts what [`expire`] would delete, and changes nothing.
///
/// # Errors
/// [`ExpireError`].
pub(crate) async fn preview(pool: &PgPool, expiry: &Expiry) -> Result<Vec<Expired>, ExpireError> {
    let mut connection = turn::connect(pool).await?;
    let projects = project::all(&mut connection, clock::today(pool).await?).await?;
    let selected = project::named(&projects, expiry.project.as_deref())?;
    let mut silent = |_| {};
    let mut run = Run::new(&mut connection, projects, selected, &mut silent);
    for table in Table::ALL {
        for partition in partition::all(run.connection, table).await? {
            if let Some(census) = run.census(&partition).await? {
                run.report_rows(&partition, &census);
                run.report_partition(&partition, &census);
            }
        }
    }
    if expiry.with_counts {
        for index in 0..run.due.len() {
            run.expired[index].counts = Some(counts::count(run.connection, &run.due[index]).await?);
        }
    }
    Ok(run.expired)
}

/// One run.
struct Run<'r> {
    connection: &'r mut PgConnection,
    /// The projects whose events are to go.
    due: Vec<Project>,
    /// For each project, the day before which its events are gone or go in this run.
    horizons: BTreeMap<i32, Date>,
    /// What went of each of the due projects.
    expired: Vec<Expired>,
    progress: &'r mut (dyn FnMut(ExpiryProgress) + Send),
}

impl<'r> Run<'r> {
    /// A run for the selected project, or for all.
    fn new(
        connection: &'r mut PgConnection,
        projects: Vec<Project>,
        selected: Option<i32>,
        progress: &'r mut (dyn FnMut(ExpiryProgress) + Send),
    ) -> Self {
        let is_due = |project: &Project| selected.is_none_or(|selected| project.id == selected);
        let horizon = |project: &Project| if is_due(project) { Some(project.horizon) } else { project.kept_from };
        let horizons = projects.iter().filter_map(|project| Some((project.id, horizon(project)?))).collect();
        let due: Vec<Project> = projects.into_iter().filter(is_due).collect();
        let expired = due.iter().map(|project| Expired::nothing(project.name.clone(), project.horizon)).collect();
        Self { connection, due, horizons, expired, progress }
    }

    async fn delete(mut self, author: Author, with_counts: bool) -> Result<Vec<Expired>, ExpireError> {
        let partitions = self.partitions_with_expired_rows().await?;
        if with_counts {
            for index in 0..self.due.len() {
                self.expired[index].counts = Some(counts::count(self.connection, &self.due[index]).await?);
            }
        }
        self.move_marks(author, &partitions).await?;
        let total = partitions.len();
        for (done, (partition, _)) in partitions.into_iter().enumerate() {
            (self.progress)(self.so_far(done, total));
            if let Some(census) = self.census(&partition).await? {
                self.delete_from(&partition, &census, (done, total)).await?;
            }
        }
        for (project, expired) in self.due.iter().zip(&self.expired) {
            if expired.counts.as_ref().is_some_and(|counts| !counts.are_none()) {
                counts::delete(self.connection, project).await?;
            }
        }
        (self.progress)(self.so_far(total, total));
        Ok(self.expired)
    }

    /// The partitions with expired rows, each with the projects that have some.
    async fn partitions_with_expired_rows(&mut self) -> Result<Vec<(Partition, Vec<i32>)>, ExpireError> {
        let mut found = Vec::new();
        for table in Table::ALL {
            for partition in partition::all(self.connection, table).await? {
                let projects = partition.projects_with_expired_rows(self.connection, &self.due).await?;
                if !projects.is_empty() {
                    found.push((partition, projects));
                }
            }
        }
        Ok(found)
    }

    /// Moves the horizons of the projects that have something to lose.
    async fn move_marks(&mut self, author: Author, partitions: &[(Partition, Vec<i32>)]) -> Result<(), ExpireError> {
        for (project, expired) in self.due.iter().zip(&self.expired) {
            let has_rows = partitions.iter().any(|(_, projects)| projects.contains(&project.id));
            let has_counts = expired.counts.as_ref().is_some_and(|counts| !counts.are_none());
            let mark = Mark {
                kept_from: (has_rows || has_counts).then_some(project.horizon),
                counts_kept_from: if has_counts { Some(project.first_counted_day()?) } else { None },
            };
            mark.set(self.connection, project, author).await?;
        }
        Ok(())
    }

    /// How many rows of each project a partition has; `None` if none of them has expired.
    async fn census(&mut self, partition: &Partition) -> Result<Option<Census>, ExpireError> {
        if partition.projects_with_expired_rows(self.connection, &self.due).await?.is_empty() {
            return Ok(None);
        }
        partition.census(self.connection, &self.due).await.map(Some)
    }

    async fn delete_from(&mut self, partition: &Partition, census: &Census, place: (usize, usize)) -> Result<(), ExpireError> {
        if self.is_over(partition, census) && whole::drop(self.connection, partition).await? {
            self.report_rows(partition, census);
            self.report_partition(partition, census);
            count(partition.table, census.expired());
            return Ok(());
        }
        for index in 0..self.due.len() {
            let project = self.due[index].clone();
            if census.expired_of(project.id) == 0 {
                continue;
            }
            let mut steps = steps::Steps::new(partition, &project);
            while let Some(rows) = steps.next(self.connection).await? {
                count(partition.table, rows);
                *self.expired[index].rows_of(partition.table) += rows;
                (self.progress)(self.so_far(place.0, place.1));
                steps.pause().await;
            }
            self.expired[index].bytes += census.bytes_of(project.id, partition);
        }
        Ok(())
    }

    /// Whether every row of a partition has expired.
    fn is_over(&self, partition: &Partition, census: &Census) -> bool {
        let Some(until) = partition.until else { return false };
        census.projects().all(|project| self.horizons.get(&project).is_some_and(|horizon| *horizon >= until))
    }

    fn report_rows(&mut self, partition: &Partition, census: &Census) {
        for (project, expired) in self.due.iter().zip(&mut self.expired) {
            *expired.rows_of(partition.table) += census.expired_of(project.id);
            expired.bytes += census.bytes_of(project.id, partition);
        }
    }

    fn report_partition(&mut self, partition: &Partition, census: &Census) {
        if !self.is_over(partition, census) {
            return;
        }
        for (project, expired) in self.due.iter().zip(&mut self.expired) {
            expired.partitions += u64::from(census.expired_of(project.id) > 0);
        }
    }

    fn so_far(&self, partitions_done: usize, partitions: usize) -> ExpiryProgress {
        let sum = |of: fn(&Expired) -> u64| self.expired.iter().map(of).sum();
        ExpiryProgress { partitions_done, partitions, events: sum(|one| one.events), identities: sum(|one| one.identities) }
    }
}

fn count(table: Table, rows: u64) {
    match table {
        Table::Events => counter!("rollcall_expired_events_total").increment(rows),
        Table::EventIds => counter!("rollcall_expired_identities_total").increment(rows),
    }
}
