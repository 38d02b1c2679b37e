//! `rollcall restore`: puts rows that were dropped from PostgreSQL back, from the archive.

use rollcall_archive::{Lock, restore};

use crate::archive::{Bar, Opened, Selected, fail_if_any};
use crate::output::print;

/// Options of `rollcall restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Read and check the files, and say what would be restored
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let opened = Opened::from_env().await?;
    opened.unless_stopped(restore_all(&opened, arguments)).await
}

async fn restore_all(opened: &Opened, Arguments { selected, dry_run }: Arguments) -> anyhow::Result<()> {
    let bar = Bar::new();
    let mut lock = Lock::take(&opened.pool).await?;
    let restored = restore(&opened.pool, &opened.store, &mut lock, (&selected.into(), dry_run), &bar).await?;
    bar.finish();
    let rows: u64 = restored.days.iter().map(|(_, rows)| rows).sum();
    let done = if dry_run { "would be restored" } else { "restored" };
    print(&format!("{} days {done}, with {rows} rows", restored.days.len()))?;
    fail_if_any(&restored.failures, "restored")
}
