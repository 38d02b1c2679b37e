//! `rollcall dead-letters`: lists, shows, redrives and purges dead letters.
//!
//! It uses only HTTP, so it works wherever the API can be reached. Changes are made page by page, and an
//! interrupted command leaves the remaining letters unchanged.

mod table;

use anyhow::{Context, ensure};
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::print;
use crate::progress;
use crate::send::Target;

const PATH: &str = "/admin/dead-letters";

/// Dead letters that one request changes. With more, progress is shown less often.
const PAGE: usize = 500;

/// Options of `rollcall dead-letters`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters, oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Maximum number of dead letters
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Print one JSON object per line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter with its events and the reason, as JSON
    Show {
        /// Its id, as listed
        id: u64,
    },
    /// Send dead letters to the workers again: one by its id, all that match, or all with --all
    Redrive(Selection),
    /// Delete dead letters permanently: one by its id, all that match, or all with --all
    Purge(Selection),
}

/// A letter must meet every condition. No condition may be empty, because an unset shell variable would
/// then select every letter.
#[derive(Debug, Clone, clap::Args)]
struct Filter {
    /// Code: refused, unknown_project, unknown_time_zone, event_type_limit, undecodable, kills_worker, expired
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    code: Option<String>,
    /// Type of an event in the dead letter
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    event_type: Option<String>,
    /// Id of an event in the dead letter
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    event_id: Option<String>,
    /// First day on which the events failed, such as 2026-01-31
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    from: Option<String>,
    /// Last day on which the events failed
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    to: Option<String>,
}

/// The dead letters to change.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Only the dead letter with this id
    #[arg(conflicts_with_all = ["all", "code", "event_type", "event_id", "from", "to"])]
    id: Option<u64>,
    #[command(flatten)]
    filter: Filter,
    /// All dead letters
    #[arg(long)]
    all: bool,
    /// Count the dead letters without changing them
    #[arg(long)]
    dry_run: bool,
}

/// A request of the API that changes dead letters.
struct Change {
    method: Method,
    path: &'static str,
    /// What was done, and the field of the answer that counts it.
    done: &'static str,
}

impl Change {
    const REDRIVE: Self = Self { method: Method::POST, path: "/redrive", done: "redriven" };
    const PURGE: Self = Self { method: Method::DELETE, path: "", done: "purged" };
}

impl Filter {
    /// The conditions as parameters of a request.
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

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(arguments.target)?;
    match arguments.command {
        Command::List { filter, limit, json } => list(&client, &filter, limit, json).await,
        Command::Show { id } => {
            let letter = client.call(&Method::GET, &format!("{PATH}/{id}"), &[]).await?;
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
        let page = client.call(&Method::GET, PATH, &parameters).await?;
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

/// Changes the selected dead letters, a page at a time.
async fn change(client: &Client, change: Change, selection: &Selection) -> anyhow::Result<()> {
    let mut parameters = selection.filter.parameters();
    ensure!(selection.all || selection.id.is_some() || !parameters.is_empty(), "say which: an id, a filter, or --all");
    if selection.dry_run {
        parameters.push(("dry_run", "true".to_owned()));
    }
    if let Some(id) = selection.id {
        let answer = client.call(&change.method, &format!("{PATH}/{id}{}", change.path), &parameters).await?;
        return tell(change.done, &answer, selection.dry_run);
    }
    if selection.all && change.method == Method::DELETE {
        parameters.push(("all", "true".to_owned()));
    }
    parameters.push(("limit", PAGE.to_string()));
    let path = format!("{PATH}{}", change.path);
    let bar = progress::of_letters();
    let mut sum = json!({});
    let mut cursor: Option<String> = None;
    loop {
        let mut parameters = parameters.clone();
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.call(&change.method, &path, &parameters).await.with_context(|| {
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
