//! `rollcall dead-letters`: looks at what could not be stored, sends it again, or throws it away.
//!
//! It speaks HTTP only, so it works from anywhere that the API can be reached from. Changes go page
//! by page: breaking off leaves the rest as it was.

mod client;
mod table;

use std::io::Write;

use anyhow::{Context, ensure};
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use reqwest::Method;
use serde_json::{Value, json};

use self::client::Client;
use crate::progress;
use crate::send::Target;

/// Letters changed by one request: soon enough for progress, few enough for one answer.
const PAGE: usize = 500;

/// Which dead letters, and what to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them, oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Print one JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one with its events and the reason, as JSON
    Show {
        /// Its id, from the list
        id: u64,
    },
    /// Send them again: one by its id, all that match, or with --all every one
    Redrive(Selection),
    /// Throw them away for good: one by its id, all that match, or with --all every one
    Purge(Selection),
}

/// Every condition that is given must hold. None may be empty: an unset variable of a shell would mean
/// every letter.
#[derive(Debug, Clone, clap::Args)]
struct Filter {
    /// Why: refused, unknown_project, unknown_time_zone, undecodable, kills_worker
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    code: Option<String>,
    /// An event type within
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    event_type: Option<String>,
    /// An event id within
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    event_id: Option<String>,
    /// First day on which they failed, as 2026-01-31
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    from: Option<String>,
    /// Last day on which they failed
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    to: Option<String>,
}

/// What a change is about.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Only the dead letter with this id
    #[arg(conflicts_with_all = ["all", "code", "event_type", "event_id", "from", "to"])]
    id: Option<u64>,
    #[command(flatten)]
    filter: Filter,
    /// Every letter there is
    #[arg(long)]
    all: bool,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
}

/// A change of dead letters, as the API knows it.
struct Change {
    method: Method,
    path: &'static str,
    /// What was done, and the count of it in the answer.
    done: &'static str,
}

impl Change {
    const REDRIVE: Self = Self { method: Method::POST, path: "/redrive", done: "redriven" };
    const PURGE: Self = Self { method: Method::DELETE, path: "", done: "purged" };
}

impl Filter {
    /// As parameters of a request.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("code", &self.code),
            ("event_type", &self.event_type),
            ("event_id", &self.event_id),
            ("from", &self.from),
            ("to", &self.to),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

/// Does what was asked.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(arguments.target)?;
    match arguments.command {
        Command::List { filter, limit, json } => list(&client, &filter, limit, json).await,
        Command::Show { id } => {
            let letter = client.call(&Method::GET, &format!("/{id}"), &[]).await?;
            print(&serde_json::to_string_pretty(&letter)?)
        }
        Command::Redrive(selection) => change(&client, Change::REDRIVE, &selection).await,
        Command::Purge(selection) => change(&client, Change::PURGE, &selection).await,
    }
}

async fn list(client: &Client, filter: &Filter, limit: usize, json: bool) -> anyhow::Result<()> {
    let mut letters: Vec<Value> = Vec::new();
    let mut cursor = None;
    loop {
        let mut parameters = filter.parameters();
        parameters.push(("limit", (limit - letters.len()).clamp(1, 1000).to_string()));
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.call(&Method::GET, "", &parameters).await?;
        letters.extend(page["data"].as_array().into_iter().flatten().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() || letters.len() >= limit {
            break;
        }
    }
    letters.truncate(limit);
    if json {
        return letters.iter().try_for_each(|letter| print(&letter.to_string()));
    }
    if letters.is_empty() {
        eprintln!("no dead letters");
        return Ok(());
    }
    print(&table::of(&letters))?;
    if cursor.is_some() {
        eprintln!("there may be more; see them with --limit");
    }
    Ok(())
}

/// Changes what is selected, a page at a time.
async fn change(client: &Client, change: Change, selection: &Selection) -> anyhow::Result<()> {
    let mut parameters = selection.filter.parameters();
    ensure!(selection.all || selection.id.is_some() || !parameters.is_empty(), "say which: an id, a filter, or --all");
    if selection.dry_run {
        parameters.push(("dry_run", "true".to_owned()));
    }
    if let Some(id) = selection.id {
        let answer = client.call(&change.method, &format!("/{id}{}", change.path), &parameters).await?;
        return tell(change.done, &answer, selection.dry_run);
    }
    if selection.all && change.method == Method::DELETE {
        parameters.push(("all", "true".to_owned()));
    }
    parameters.push(("limit", PAGE.to_string()));
    let bar = progress::of_letters();
    let mut sum = json!({});
    let mut cursor: Option<String> = None;
    loop {
        let mut parameters = parameters.clone();
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.call(&change.method, change.path, &parameters).await.with_context(|| {
            format!("broken off after {} dead letters; the others are as they were, so run it again", bar.position())
        })?;
        for name in ["matched", change.done, "events_count"] {
            sum[name] = json!(sum[name].as_u64().unwrap_or(0) + page[name].as_u64().unwrap_or(0));
        }
        bar.set_position(sum["matched"].as_u64().unwrap_or(0));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    tell(change.done, &sum, selection.dry_run)
}

fn tell(done: &str, answer: &Value, dry_run: bool) -> anyhow::Result<()> {
    let (letters, events) = (&answer["matched"], &answer["events_count"]);
    print(&match dry_run {
        true => format!("{letters} dead letters with {events} events would be {done}"),
        false => format!("{} dead letters with {events} events {done}", answer[done]),
    })
}

/// Prints a line; a reader that has seen enough, such as `head`, is no error.
fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.context("standard output cannot be written to"),
    }
}
