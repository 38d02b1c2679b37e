//! `rollcall schemas`: lists, shows, sets and removes the JSON Schemas of event types over HTTP.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{print, print_list};
use crate::send::Target;

const PATH: &str = "/admin/schemas";
/// Stands for standard input in the place of a file.
const STANDARD_INPUT: &str = "-";

/// The columns of the table, each with the path of its value.
const COLUMNS: [(&str, &str); 6] = [
    ("event type", "/event_type"),
    ("mode", "/mode"),
    ("bytes", "/schema_bytes"),
    ("violations", "/violations"),
    ("last at", "/last_violation_at"),
    ("changed at", "/changed_at"),
];

/// Options of `rollcall schemas`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The project; that of the API key by default
    #[arg(long, global = true)]
    project: Option<String>,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the event types that have a schema, and how many events did not match
    List,
    /// Show the schema of an event type, as JSON, with some of the events that did not match
    Show {
        /// The event type
        event_type: String,
    },
    /// Set the schema that the properties of an event type must match
    Set {
        /// The event type
        event_type: String,
        /// File with the JSON Schema, or - for standard input
        file: PathBuf,
        /// warn to accept and count events that do not match, or reject to refuse and count them
        #[arg(long)]
        mode: String,
    },
    /// Remove the schema of an event type
    Remove {
        /// The event type
        event_type: String,
    },
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(arguments.target)?;
    let parameters: Vec<_> = arguments.project.into_iter().map(|project| ("project", project)).collect();
    let json = arguments.json;
    match arguments.command {
        Command::List => {
            let schemas = client.list(PATH, &parameters).await?;
            if schemas.is_empty() && !json {
                eprintln!("no schemas");
                return Ok(());
            }
            print_list(&schemas, json, &COLUMNS)
        }
        Command::Show { event_type } => {
            let schema = client.call(&Method::GET, &path_of(&event_type), &parameters).await?;
            print(&serde_json::to_string_pretty(&schema)?)
        }
        Command::Set { event_type, file, mode } => {
            let body = json!({ "mode": mode, "schema": read(&file)? });
            let schema = client.call_with(&Method::PUT, &path_of(&event_type), &parameters, &body).await?;
            print_list(&[schema], json, &COLUMNS)
        }
        Command::Remove { event_type } => {
            let schema = client.call(&Method::DELETE, &path_of(&event_type), &parameters).await?;
            print_list(&[schema], json, &COLUMNS)
        }
    }
}

fn path_of(event_type: &str) -> String {
    format!("{PATH}/{}", utf8_percent_encode(event_type, NON_ALPHANUMERIC))
}

/// The JSON in a file.
fn read(file: &Path) -> anyhow::Result<Value> {
    let text = if file == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}
