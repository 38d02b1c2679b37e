//! `rollcall replay`: sends archived events through the API again, into a project.
//!
//! The events keep their ids and times, so a second run stores nothing. `lines` writes them as a client would. They are
//! sent with a key that is made for it and revoked at the end, because a key decides the project. The archive is all
//! that is needed: the database that wrote it may be gone.

mod batches;
mod key;
mod lines;
mod pace;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use jiff::civil::Date;
use rollcall_archive::{ArchiveSettings, Manifest, PartReader, Row, Store};
use rollcall_shared::settings::Environment;
use rollcall_shared::shutdown;
use rollcall_shared::telemetry::LogSettings;

use self::batches::Batches;
use self::key::ReplayKey;
use self::pace::Pace;
use crate::output::print;
use crate::progress;
use crate::send::{Sender, Target};

/// Options of `rollcall replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// First day, in UTC
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last day
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Project whose archive is read
    #[arg(long, default_value = "default")]
    project: String,
    /// Project that gets the events; the API key must have the scope admin for it
    #[arg(long, value_name = "PROJECT")]
    into: String,
    /// Only events of this user: the user id, else the anonymous id, else the session id
    #[arg(long)]
    user: Option<String>,
    /// Only events of this type; may be repeated
    #[arg(long)]
    event_type: Vec<String>,
    /// Events that are sent in a second, at most
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events_per_second: u32,
    /// Read the files and count the events, without sending them
    #[arg(long)]
    dry_run: bool,
}

/// Which events are sent.
struct Filter {
    user: Option<String>,
    event_types: Vec<String>,
}

impl Filter {
    fn contains(&self, row: &Row<'_>) -> bool {
        let user = row.user_id.or(row.anonymous_id).or(row.session_id);
        (self.user.is_none() || self.user.as_deref() == user)
            && (self.event_types.is_empty() || self.event_types.iter().any(|name| name == row.event_type))
    }
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = ArchiveSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    let store = Store::open(&settings)?;
    let days = manifests(&store, &arguments).await?;
    let Arguments { target, into, user, event_type, events_per_second, dry_run, .. } = arguments;
    let filter = Filter { user, event_types: event_type };
    let bar = progress::of_events(days.iter().map(|day| day.rows).sum());
    if dry_run {
        let events = count(&store, &days, &filter, &bar).await?;
        return print(&format!("{events} events of {} days would be sent into {into}", days.len()));
    }
    let key = ReplayKey::make(&target, &into).await?;
    let sender = Sender::new(Target { api_key: key.secret.clone(), api_key_file: None, ..target }, bar.clone())?;
    let stop = shutdown::on_signal()?;
    let sent = tokio::select! {
        sent = replay(&store, &days, &filter, (&sender, events_per_second), &bar) => sent,
        () = stop.cancelled() => Err(anyhow::anyhow!("interrupted; the same command sends the events again, and stores none twice")),
    };
    key.revoke().await?;
    print(&format!("{} events of {} days sent into {into}", sent?, days.len()))
}

/// The manifests of the period, oldest first.
async fn manifests(store: &Store, arguments: &Arguments) -> anyhow::Result<Vec<Manifest>> {
    let Arguments { project, from, to, .. } = arguments;
    ensure!(from <= to, "--from {from} is after --to {to}");
    let mut days = Vec::new();
    for date in store.dates(project).await? {
        if (*from..=*to).contains(&date) {
            days.extend(store.manifest(project, date).await?);
        }
    }
    ensure!(!days.is_empty(), "no day of {project} from {from} to {to} is archived");
    Ok(days)
}

/// Counts the events that the filter lets through.
async fn count(store: &Store, days: &[Manifest], filter: &Filter, bar: &ProgressBar) -> anyhow::Result<u64> {
    let mut events = 0;
    for day in days {
        for part in &day.parts {
            let path = day.path_of(part);
            let mut reader = PartReader::open(store.fetch(day, part).await?).with_context(|| path.clone())?;
            while let Some(group) = reader.next_group().with_context(|| path.clone())? {
                for row in group.rows() {
                    events += u64::from(filter.contains(&row.with_context(|| path.clone())?));
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(events)
}

/// Sends the events; returns how many.
async fn replay(
    store: &Store,
    days: &[Manifest],
    filter: &Filter,
    (sender, events_per_second): (&Sender, u32),
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let (mut sent, mut pace) = (0, Pace::new(events_per_second));
    for day in days {
        for part in &day.parts {
            let path = day.path_of(part);
            let mut reader = PartReader::open(store.fetch(day, part).await?).with_context(|| path.clone())?;
            while let Some(group) = reader.next_group().with_context(|| path.clone())? {
                let mut batches = Batches::default();
                for row in group.rows() {
                    let row = row.with_context(|| path.clone())?;
                    bar.inc(1);
                    if filter.contains(&row)
                        && let Some(full) = batches.add(&row).with_context(|| path.clone())?
                    {
                        sent += pace.send(sender, full).await.with_context(|| path.clone())?;
                    }
                }
                for batch in batches.rest() {
                    sent += pace.send(sender, batch).await.with_context(|| path.clone())?;
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(sent)
}
