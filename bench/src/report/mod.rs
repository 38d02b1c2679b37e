//! The report: a table on the terminal and as Markdown, and all values as JSON.

pub(crate) mod machine;
mod markdown;

use std::fs;
use std::io::Write;

use anyhow::Context;
use serde::Serialize;

use self::machine::Machine;
use crate::Arguments;
use crate::outcome::Outcome;
use crate::progress;
use crate::row::Row;

/// The report as JSON.
#[derive(Serialize)]
struct Written<'a> {
    settings: Settings,
    machine: &'a Machine,
    rows: &'a [Row],
    notes: &'a [String],
}

/// The arguments of the run.
#[derive(Debug, Serialize)]
struct Settings {
    rows: u64,
    reps: u32,
    events_per_request: u64,
    load_secs: f64,
}

impl Settings {
    fn of(arguments: &Arguments) -> Self {
        Self { rows: arguments.rows, reps: arguments.reps, events_per_request: arguments.events, load_secs: arguments.seconds }
    }
}

/// Prints the table.
pub(crate) fn print(arguments: &Arguments, machine: &Machine, outcome: &Outcome) -> anyhow::Result<()> {
    let table = markdown::report(&Settings::of(arguments), machine, outcome);
    Ok(std::io::stdout().write_all(table.as_bytes())?)
}

/// Writes both files.
pub(crate) fn write(arguments: &Arguments, machine: &Machine, outcome: &Outcome) -> anyhow::Result<()> {
    let settings = Settings::of(arguments);
    let table = markdown::report(&settings, machine, outcome);
    let out = &arguments.out;
    let json = serde_json::to_vec_pretty(&Written { settings, machine, rows: &outcome.rows, notes: &outcome.notes })?;
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    for (name, content) in [("bench.md", table.as_bytes()), ("bench.json", &json)] {
        let path = out.join(name);
        fs::write(&path, content).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    progress::say(&format!("wrote bench.md and bench.json in {}", out.display()));
    Ok(())
}
