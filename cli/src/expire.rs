//! `rollcall expire`: deletes what projects keep no longer, or shows how much that is.
//!
//! It works in PostgreSQL, as `migrate` does, because deleting takes longer than a request may. Workers do the same by
//! themselves, except for the rollups.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_worker::{Expired, Expiry, ExpiryProgress};
use serde_json::{Value, json};

use crate::output::print_list;
use crate::progress;

/// The columns of the table, each with the path of its value.
const COLUMNS: [(&str, &str); 6] = [
    ("project", "/project"),
    ("kept from", "/kept_from"),
    ("events", "/events"),
    ("identities", "/identities"),
    ("partitions", "/partitions"),
    ("bytes (estimate)", "/estimated_bytes"),
];
/// Further columns, if the rollups are deleted too.
const COLUMNS_OF_ROLLUPS: [(&str, &str); 3] =
    [("days", "/rollups/days"), ("sessions", "/rollups/sessions"), ("users", "/rollups/users")];

/// Options of `rollcall expire`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show what would be deleted, without changing anything
    #[arg(long)]
    dry_run: bool,
    /// Only the events of this project
    #[arg(long)]
    project: Option<String>,
    /// Also delete the counts of the days whose events are deleted, and sessions and users who had no event since
    #[arg(long)]
    rollups: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command in the database that the environment names.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = DatabaseSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    let pool = database::pool(&settings, "rollcall-expire", Duration::ZERO).context("DATABASE_URL")?;
    let expiry = Expiry { project: arguments.project, with_counts: arguments.rollups };
    let expired = if arguments.dry_run {
        rollcall_worker::preview_expiry(&pool, &expiry).await?
    } else {
        let bar = progress::of_partitions();
        let mut show = |progress: ExpiryProgress| {
            bar.set_length(progress.partitions as u64);
            bar.set_position(progress.partitions_done as u64);
            bar.set_message(format!("{} events and {} identities deleted", progress.events, progress.identities));
        };
        let expired = rollcall_worker::expire(&pool, &expiry, &mut show).await?;
        bar.finish_and_clear();
        expired
    };
    pool.close().await;
    if expired.is_empty() && !arguments.json {
        eprintln!("every project keeps its events for ever");
        return Ok(());
    }
    let columns = if arguments.rollups { [&COLUMNS[..], &COLUMNS_OF_ROLLUPS].concat() } else { COLUMNS.to_vec() };
    print_list(&expired.iter().map(entry).collect::<Vec<_>>(), arguments.json, &columns)
}

fn entry(expired: &Expired) -> Value {
    let Expired { project, horizon, events, identities, partitions, bytes, counts } = expired;
    let rollups = counts.map(|counts| json!({"days": counts.days, "sessions": counts.sessions, "users": counts.users}));
    json!({
        "project": project, "kept_from": horizon, "events": events, "identities": identities, "partitions": partitions,
        "estimated_bytes": bytes, "rollups": rollups,
    })
}
