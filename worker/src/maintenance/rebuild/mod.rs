//! Rebuild: the rollups from the rows, while workers go on storing. It is the answer to "the numbers are wrong".
//!
//! What is compared and replaced at a time is one day of a project (`day`), or all of its sessions or users (`summaries`),
//! each in one transaction that sees one snapshot: rows, base and deltas of the same batches. The compactor of the rollup
//! waits meanwhile, so nobody else changes the base; batches that commit later only append deltas, which the snapshot does
//! not show and which stay. Nothing is written where rollups and rows agree, but for the unions of weeks and
//! months, which are not compared: workers make those of the selected days anew.
//!
//! Days are those of the project's time zone. `project` finds them, and refuses those whose rows are not all there. The
//! `turn` keeps everybody from deleting or moving rows. A run may be killed at any moment: a day is as before, or right.
//!
//! Who was active on days whose counts were deleted (`earlier_users`) is not touched: there are no rows of it.

mod day;
mod error;
mod project;
mod report;
mod summaries;
mod turn;

use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::PgPool;

use self::day::Numbers;
use self::error::RebuildError;
use self::project::Project;
pub use self::report::{Differences, RebuildProgress, Rebuilt};
use self::turn::Turn;
use crate::maintenance::lock::AdvisoryLock;

/// Nobody makes a partition, and moves rows from the default partition into it, while a snapshot is read.
const LOCK_OF_PARTITIONS: AdvisoryLock = AdvisoryLock::Partitions;
/// Longest time between two days in which the compactors get a turn.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What to rebuild.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// The name of the only project; all of them without it.
    pub project: Option<String>,
    /// The first day, in the time zone of each project.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// Whether to compare only.
    pub dry_run: bool,
}

/// Compares the rollups with the rows, and replaces what is wrong. Sessions and users have no days, so this is done with
/// them only if no days are named.
///
/// # Errors
/// [`RebuildError`].
pub(crate) async fn rebuild(
    pool: &PgPool,
    rebuild: &Rebuild,
    progress: &mut (dyn FnMut(RebuildProgress<'_>) + Send),
) -> Result<Vec<Rebuilt>, RebuildError> {
    let mut turn = Turn::take(pool).await?;
    let projects = project::selected(turn.connection(), rebuild).await?;
    // Before anything is changed.
    for project in &projects {
        project.check_rows(turn.connection(), rebuild).await?;
    }
    let mut results = Vec::with_capacity(projects.len());
    for project in &projects {
        results.push(rebuild_project(&mut turn, project, rebuild, progress).await?);
    }
    turn.end().await?;
    Ok(results)
}

async fn rebuild_project(
    turn: &mut Turn,
    project: &Project,
    rebuild: &Rebuild,
    progress: &mut (dyn FnMut(RebuildProgress<'_>) + Send),
) -> Result<Rebuilt, RebuildError> {
    let days = project.days(turn.connection(), rebuild).await?;
    let mut rebuilt = Rebuilt { project: project.name.clone(), days: days.len() as u64, ..Rebuilt::default() };
    for (done, day) in (0..).zip(days) {
        progress(RebuildProgress { project: &project.name, days_done: done, days: rebuilt.days, rows: rebuilt.rows });
        let started = Instant::now();
        let (differences, rows) = rebuild_day(turn, project, day, rebuild.dry_run).await?;
        rebuilt.rows += rows;
        if !differences.are_none() {
            rebuilt.wrong_days.push(day);
            rebuilt.wrong.add(differences);
            // The compactors have waited for as long.
            tokio::time::sleep(started.elapsed().min(MAX_PAUSE)).await;
        }
    }
    progress(RebuildProgress { project: &project.name, days_done: rebuilt.days, days: rebuilt.days, rows: rebuilt.rows });
    if !rebuild.dry_run {
        let mut transaction = turn.begin(&[AdvisoryLock::ActiveUsers]).await?;
        let [from, to] = [rebuild.from, rebuild.to].map(|day| day.map(ToSqlx::to_sqlx));
        sqlx::query_file!("sql/maintenance/rebuild/forget_spans.sql", project.id, from as _, to as _)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        turn.unlock(&[AdvisoryLock::ActiveUsers]).await?;
    }
    if !rebuild.is_partial() {
        let locks = [LOCK_OF_PARTITIONS, AdvisoryLock::Sessions];
        let mut transaction = turn.begin(&locks).await?;
        rebuilt.wrong_sessions = Some(summaries::sessions(&mut transaction, project.id, rebuild.dry_run).await?);
        transaction.commit().await?;
        turn.unlock(&locks).await?;

        let locks = [LOCK_OF_PARTITIONS, AdvisoryLock::UserActivity];
        let mut transaction = turn.begin(&locks).await?;
        rebuilt.wrong_users = Some(summaries::users(&mut transaction, project.id, rebuild.dry_run).await?);
        transaction.commit().await?;
        turn.unlock(&locks).await?;
    }
    Ok(rebuilt)
}

/// Compares one day, and replaces its numbers if any is wrong; returns what was wrong, and how many rows the day has.
async fn rebuild_day(turn: &mut Turn, project: &Project, day: Date, dry_run: bool) -> Result<(Differences, u64), RebuildError> {
    let locks = [LOCK_OF_PARTITIONS, AdvisoryLock::ActiveUsers, AdvisoryLock::EventCounts];
    let mut transaction = turn.begin(&locks).await?;
    let (numbers, rows) = Numbers::of_rows(&mut transaction, project, day).await?;
    let differences = numbers.differences(&Numbers::of_rollups(&mut transaction, project.id, day.to_sqlx()).await?);
    if !differences.are_none() && !dry_run {
        numbers.replace(&mut transaction, project.id, day).await?;
    }
    transaction.commit().await?;
    turn.unlock(&locks).await?;
    Ok((differences, rows))
}
