//! `rollcall rebuild`: compares the rollups with the rows, and replaces what is wrong.
//!
//! It works in PostgreSQL, as `expire` does, because reading all rows takes longer than a request may. The service runs on.

use std::time::Duration;

use anyhow::Context;
use jiff::civil::Date;
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_worker::{Rebuild, RebuildProgress, Rebuilt};
use serde_json::{Value, json};

use crate::output::print_list;
use crate::progress;

/// The columns of the table, each with the path of its value.
const COLUMNS: [(&str, &str); 9] = [
    ("project", "/project"),
    ("days", "/days"),
    ("rows", "/rows"),
    ("wrong days", "/wrong_day_count"),
    ("wrong counts", "/wrong/counts"),
    ("wrong hours", "/wrong/hours"),
    ("wrong active users", "/wrong/active_users"),
    ("wrong sessions", "/wrong/sessions"),
    ("wrong users", "/wrong/users"),
];

/// Options of `rollcall rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this project
    #[arg(long)]
    project: Option<String>,
    /// First day, in the time zone of the project. With a first or last day, sessions and users are left out, because they
    /// have no days
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last day
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Show what is wrong, without changing anything
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, with the wrong days by name, instead of a table
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
    let pool = database::pool(&settings, "rollcall-rebuild", Duration::ZERO).context("DATABASE_URL")?;
    let Arguments { project, from, to, dry_run, json } = arguments;
    let bar = progress::of_days();
    let mut show = |progress: RebuildProgress<'_>| {
        bar.set_length(progress.days);
        bar.set_position(progress.days_done);
        bar.set_message(format!("{} rows of {}", progress.rows, progress.project));
    };
    let rebuilt = rollcall_worker::rebuild(&pool, &Rebuild { project, from, to, dry_run }, &mut show).await?;
    bar.finish_and_clear();
    pool.close().await;
    print_list(&rebuilt.iter().map(entry).collect::<Vec<_>>(), json, &COLUMNS)
}

fn entry(rebuilt: &Rebuilt) -> Value {
    let Rebuilt { project, days, rows, wrong_days, wrong, wrong_sessions, wrong_users } = rebuilt;
    json!({
        "project": project, "days": days, "rows": rows, "wrong_days": wrong_days, "wrong_day_count": wrong_days.len(),
        "wrong": {
            "counts": wrong.counts, "hours": wrong.hours, "active_users": wrong.active_users, "sessions": wrong_sessions,
            "users": wrong_users,
        },
    })
}
