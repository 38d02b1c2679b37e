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

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use metrics::{counter, gauge};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::error::ExpireError;
use self::mark::{Author, Mark};
use self::partition::{Census, Partition};
use self::project::Project;
pub use self::report::{Expired, ExpiredCounts, ExpiryProgress};
use self::turn::Turn;
use crate::maintenance::table::Table;
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
    if !horizons.is_empty() && done.as_ref() != Some(&horizons) {
        let Some(mut turn) = Turn::take(pool).await? else { return Ok(()) };
        index::seal(pool, today).await?;
        let outcome = Run::new(&mut turn, projects, None, &mut |_| {}).delete(Author::Worker, false).await;
        let expired = outcome.inspect_err(|_| counter!("rollcall_expire_failures_total").increment(1))?;
        turn.end().await?;
        for Expired { project, horizon, events, identities, partitions, .. } in expired {
            if events + identities > 0 {
                tracing::info!(project, %horizon, events, identities, partitions, "expired events were deleted");
            }
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
    let projects = run.projects();
    for partition in run.partitions_of(&projects).await? {
        let census = partition.census(run.connection, &projects).await?;
        run.report_rows(&partition, &census);
        run.report_size(&partition, &census, run.is_over(&partition, &census));
    }
    if expiry.with_counts {
        run.count_rollups().await?;
    }
    Ok(run.report())
}

/// One run.
struct Run<'r> {
    connection: &'r mut PgConnection,
    due: Vec<Due>,
    /// For each project, the day before which its events are gone or go in this run.
    horizons: BTreeMap<i32, Date>,
    progress: &'r mut (dyn FnMut(ExpiryProgress) + Send),
}

/// A project whose expired events are to go.
struct Due {
    project: Project,
    /// What has gone.
    expired: Expired,
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
        let due = projects.into_iter().filter(is_due).map(|project| Due { expired: Expired::nothing_of(&project), project });
        Self { connection, due: due.collect(), horizons, progress }
    }

    async fn delete(mut self, author: Author, with_counts: bool) -> Result<Vec<Expired>, ExpireError> {
        if with_counts {
            self.count_rollups().await?;
        }
        let losing = self.move_marks(author).await?;
        // Only now: what was stored in between must go too.
        let partitions = self.partitions_of(&losing).await?;
        for (done, partition) in partitions.iter().enumerate() {
            self.delete_from(partition, &losing, (done, partitions.len())).await?;
        }
        for due in self.due.iter().filter(|due| due.has_counts()) {
            counts::delete(self.connection, &due.project).await?;
        }
        self.tell((partitions.len(), partitions.len()));
        Ok(self.report())
    }

    /// Moves the horizons of the projects that have something to lose, and returns these projects. A young project keeps
    /// answering questions about the time before it had events.
    async fn move_marks(&mut self, author: Author) -> Result<Vec<Project>, ExpireError> {
        let all = self.projects();
        let mut with_rows = BTreeSet::new();
        for partition in self.partitions_of(&all).await? {
            with_rows.extend(partition.projects_with_expired_rows(self.connection, &all).await?);
        }
        let mut losing = Vec::new();
        for due in &self.due {
            let has_counts = due.has_counts();
            if !has_counts && !with_rows.contains(&due.project.id) {
                continue;
            }
            let counts_kept_from = if has_counts { Some(due.project.first_counted_day()?) } else { None };
            let mark = Mark { kept_from: Some(due.project.horizon), counts_kept_from };
            mark.set(self.connection, &due.project, author).await?;
            losing.push(due.project.clone());
        }
        Ok(losing)
    }

    /// The partitions in which these projects have expired rows: first those of events, so that none is left without its
    /// identity.
    async fn partitions_of(&mut self, projects: &[Project]) -> Result<Vec<Partition>, ExpireError> {
        let mut found = Vec::new();
        for table in Table::ALL {
            for partition in partition::all(self.connection, table).await? {
                if !partition.projects_with_expired_rows(self.connection, projects).await?.is_empty() {
                    found.push(partition);
                }
            }
        }
        Ok(found)
    }

    /// Deletes the expired rows of these projects from a partition.
    async fn delete_from(
        &mut self,
        partition: &Partition,
        projects: &[Project],
        place: (usize, usize),
    ) -> Result<(), ExpireError> {
        self.tell(place);
        let census = partition.census(self.connection, projects).await?;
        if self.is_over(partition, &census) && whole::drop(self.connection, partition).await? {
            count(partition.table, census.expired());
            self.report_rows(partition, &census);
            self.report_size(partition, &census, true);
            return Ok(());
        }
        for project in projects.iter().filter(|project| census.expired_of(project.id) > 0) {
            let mut steps = steps::Steps::new(partition, project);
            while let Some(rows) = steps.next(self.connection).await? {
                count(partition.table, rows);
                if let Some(due) = self.due.iter_mut().find(|due| due.project.id == project.id) {
                    *due.expired.rows_of(partition.table) += rows;
                }
                self.tell(place);
                steps.pause().await;
            }
        }
        self.report_size(partition, &census, false);
        Ok(())
    }

    /// Whether every row of a partition has expired.
    fn is_over(&self, partition: &Partition, census: &Census) -> bool {
        let Some(until) = partition.until else { return false };
        census.projects().all(|project| self.horizons.get(&project).is_some_and(|horizon| *horizon >= until))
    }

    async fn count_rollups(&mut self) -> Result<(), ExpireError> {
        for due in &mut self.due {
            due.expired.counts = Some(counts::count(self.connection, &due.project).await?);
        }
        Ok(())
    }

    fn report_rows(&mut self, partition: &Partition, census: &Census) {
        for due in &mut self.due {
            *due.expired.rows_of(partition.table) += census.expired_of(due.project.id);
        }
    }

    fn report_size(&mut self, partition: &Partition, census: &Census, is_whole: bool) {
        for due in &mut self.due {
            due.expired.bytes += census.bytes_of(due.project.id, partition);
            due.expired.partitions += u64::from(is_whole && census.expired_of(due.project.id) > 0);
        }
    }

    fn projects(&self) -> Vec<Project> {
        self.due.iter().map(|due| due.project.clone()).collect()
    }

    fn report(self) -> Vec<Expired> {
        self.due.into_iter().map(|due| due.expired).collect()
    }

    fn tell(&mut self, (partitions_done, partitions): (usize, usize)) {
        let events = self.due.iter().map(|due| due.expired.events).sum();
        let identities = self.due.iter().map(|due| due.expired.identities).sum();
        (self.progress)(ExpiryProgress { partitions_done, partitions, events, identities });
    }
}

impl Due {
    /// Whether there are counts to be deleted, and they are wanted.
    fn has_counts(&self) -> bool {
        self.expired.counts.is_some_and(|counts| !counts.are_none())
    }
}

fn count(table: Table, rows: u64) {
    match table {
        Table::Events => counter!("rollcall_expired_events_total").increment(rows),
        Table::EventIds => counter!("rollcall_expired_identities_total").increment(rows),
    }
}
