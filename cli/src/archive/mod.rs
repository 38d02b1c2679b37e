//! `rollcall archive`: archives days that are over, lists and verifies them, and drops their rows from PostgreSQL.
//!
//! It connects to PostgreSQL and to the store itself. Each command can be interrupted at any moment and repeated.

mod bar;
mod opened;
mod selected;

use anyhow::bail;
use clap::Subcommand;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rollcall_archive::{Detached, Detaching, Exporting, Failure, Lock, Pace, detach, export, registered, verify};
use serde_json::json;

pub(crate) use self::bar::Bar;
pub(crate) use self::opened::Opened;
pub(crate) use self::selected::Selected;
use crate::output::{print, print_list};

/// The columns of the list, each with the path of its value.
const COLUMNS: [(&str, &str); 8] = [
    ("project", "/project"),
    ("date", "/date"),
    ("generation", "/generation"),
    ("rows", "/rows"),
    ("bytes", "/bytes"),
    ("archived at", "/archived_at"),
    ("in database", "/in_database"),
    ("restored at", "/restored_at"),
];

/// Options of `rollcall archive`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Archive days that are over, and later events of days that are archived
    Run {
        #[command(flatten)]
        selected: Selected,
        /// Work for so many percent of the time and rest in between, instead of ARCHIVE_DUTY_CYCLE_PERCENT; 100 never rests
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
        duty_cycle: Option<u32>,
    },
    /// List the archived days
    List {
        #[command(flatten)]
        selected: Selected,
        /// Print one JSON object per line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Read every file of the archived days back and compare it with its checksum
    Verify(Selected),
    /// Drop the rows of archived days from PostgreSQL, after verifying their files
    Drop {
        /// Drop only days that ended at least so many days ago
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=36_500))]
        older_than_days: i32,
        /// Verify the files and say what would be dropped
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let opened = Opened::from_env().await?;
    opened
        .unless_stopped(async {
            match arguments.command {
                Command::Run { selected, duty_cycle } => archive(&opened, selected, duty_cycle).await,
                Command::List { selected, json } => list(&opened, selected, json).await,
                Command::Verify(selected) => verify_all(&opened, selected).await,
                Command::Drop { older_than_days, dry_run } => drop_rows(&opened, older_than_days, dry_run).await,
            }
        })
        .await
}

async fn archive(opened: &Opened, selected: Selected, duty_cycle: Option<u32>) -> anyhow::Result<()> {
    let (selection, bar) = (selected.into(), Bar::new());
    let mut lock = Lock::take(&opened.pool).await?;
    let pace = Pace::new(duty_cycle.unwrap_or(opened.settings.duty_cycle_percent));
    let exporting = Exporting { selection: &selection, after_days: opened.settings.after_days, pace };
    let exported = export(&opened.pool, &opened.store, &mut lock, exporting, &bar).await?;
    bar.finish();
    let rows: u64 = exported.days.iter().map(|(_, rows)| rows).sum();
    print(&format!("{} days archived, with {rows} rows; {} had nothing new", exported.days.len(), exported.unchanged))?;
    fail_if_any(&exported.failures, "archived")
}

async fn list(opened: &Opened, selected: Selected, json: bool) -> anyhow::Result<()> {
    let days = registered(&opened.pool, &selected.into()).await?;
    let entry = |day: &rollcall_archive::RegisteredDay| {
        json!({
            "project": day.day.project,
            "date": day.day.date,
            "generation": day.generation,
            "rows": day.rows,
            "bytes": day.bytes,
            "archived_at": day.archived_at,
            "in_database": day.dropped_generation.is_none(),
            "restored_at": day.restored_at,
        })
    };
    print_list(&days.iter().map(entry).collect::<Vec<_>>(), json, &COLUMNS)
}

async fn verify_all(opened: &Opened, selected: Selected) -> anyhow::Result<()> {
    let bar = Bar::new();
    let verified = verify(&opened.pool, &opened.store, &selected.into(), &bar).await?;
    bar.finish();
    print(&format!(
        "{} days are as they were archived, with {} rows and {} bytes",
        verified.days, verified.rows, verified.bytes
    ))?;
    fail_if_any(&verified.failures, "as they were archived")
}

async fn drop_rows(opened: &Opened, older_than_days: i32, dry_run: bool) -> anyhow::Result<()> {
    let bar = Bar::new();
    let mut lock = Lock::take(&opened.pool).await?;
    let before = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_sub(older_than_days.days());
    let results = detach(&opened.pool, &opened.store, &mut lock, Detaching { before, dry_run }, &bar).await?;
    bar.finish();
    for Detached { partition, rows, bytes, kept_because } in &results {
        match kept_because {
            Some(reason) => print(&format!("{partition}: kept, {reason}"))?,
            None if dry_run => print(&format!("{partition}: {rows} rows in {bytes} bytes would be dropped"))?,
            None => print(&format!("{partition}: {rows} rows in {bytes} bytes were dropped"))?,
        }
    }
    let kept = results.iter().filter(|result| result.kept_because.is_some()).count();
    if kept > 0 {
        bail!("{kept} partitions were kept; rollcall archive run archives what they lack");
    }
    if results.is_empty() {
        print("no partition that old has rows")?;
    }
    Ok(())
}

/// Prints the days with which something is wrong.
///
/// # Errors
/// There is one.
pub(crate) fn fail_if_any(failures: &[Failure], done: &str) -> anyhow::Result<()> {
    for Failure { day, error } in failures {
        eprintln!("{day}: {error}");
    }
    match failures.len() {
        0 => Ok(()),
        1 => bail!("1 day is not {done}"),
        days => bail!("{days} days are not {done}"),
    }
}
