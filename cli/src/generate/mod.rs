//! `rollcall generate`: generates realistic sample events, and writes or sends them.
//!
//! `rollcall_example` makes the events, and `output` writes them. The same seed and dates give the same
//! events with the same ids, so events that are sent twice are stored once.

mod output;

use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rollcall_example::{Config, events};

use crate::progress;
use crate::send::{Batch, Sender, Target};

/// Requests in flight at the same time: the service parses one while it publishes another.
const IN_FLIGHT: usize = 4;

/// Options of `rollcall generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Number of events
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Number of users
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    users: Option<u32>,
    /// Number of days, up to today, over which the events are spread
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// First day, instead of --days
    #[arg(long, requires = "to", value_name = "DATE")]
    from: Option<Date>,
    /// Last day, instead of --days; not after today in UTC
    #[arg(long, requires = "from", value_name = "DATE")]
    to: Option<Date>,
    /// Seed of the random events; the same seed gives the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write: .ndjson, .jsonl or .csv, optionally followed by .gz or .zst; - for standard output
    #[arg(long, short, conflicts_with = "send", required_unless_present = "send")]
    output: Option<PathBuf>,
    /// Send the events to the API instead
    #[arg(long)]
    send: bool,
    #[command(flatten)]
    target: Target,
    /// Events per request
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
}

/// Generates the events and writes or sends them.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut config = Config::recent(arguments.events, arguments.days);
    config.seed = arguments.seed;
    if let Some(users) = arguments.users {
        config.users = users;
    }
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        anyhow::ensure!(from <= to, "--from must not be after --to");
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        // The service refuses events more than 24 h ahead of its clock.
        anyhow::ensure!(
            to <= today,
            "--to {to} is after today, {today} in UTC: sample events have happened already, and the service refuses \
             events more than 24 h ahead of its clock"
        );
        config = config.between(from, to);
    }
    match arguments.output {
        Some(path) => output::write(&path, &config),
        None => {
            let sent = send_all(&arguments.target, config, arguments.batch, progress::of_events(arguments.events)).await?;
            eprintln!("{sent} events accepted");
            Ok(())
        }
    }
}

/// Sends the events of a configuration; returns how many were accepted.
///
/// # Errors
/// The service refuses them or does not answer.
pub(crate) async fn send_sample(target: &Target, config: Config) -> anyhow::Result<u64> {
    let bar = progress::of_events(config.events);
    send_all(target, config, 10_000, bar).await
}

async fn send_all(target: &Target, config: Config, batch: u64, bar: ProgressBar) -> anyhow::Result<u64> {
    let sender = Sender::new(target.clone(), bar.clone())?;
    let mut events = events(config);
    let mut number = 0;
    let batches = std::iter::from_fn(move || {
        let mut lines = Vec::new();
        for event in events.by_ref().take(batch as usize) {
            serde_json::to_writer(&mut lines, &event).ok()?;
            lines.push(b'\n');
        }
        number += 1;
        (!lines.is_empty()).then_some(Batch { number, lines, idempotency_key: None, partial: false, file_lines: Vec::new() })
    });
    let accepted = stream::iter(batches)
        .map(|batch| sender.send(batch))
        .buffer_unordered(IN_FLIGHT)
        .try_fold(0, |accepted, outcome| {
            bar.inc(outcome.accepted);
            std::future::ready(Ok(accepted + outcome.accepted))
        })
        .await?;
    bar.finish_and_clear();
    Ok(accepted)
}
