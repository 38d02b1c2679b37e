//! `rollcall projects`: lists, makes and changes projects over HTTP.

use clap::Subcommand;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::output::print_list;
use crate::send::Target;

const PATH: &str = "/admin/projects";

/// The columns of the table, each with the path of its value.
const COLUMNS: [(&str, &str); 7] = [
    ("name", "/name"),
    ("time zone", "/time_zone"),
    ("days kept", "/retention_days"),
    ("requests/s", "/limits/requests_per_second"),
    ("events/s", "/limits/events_per_second"),
    ("event types", "/limits/max_event_types"),
    ("created at", "/created_at"),
];

/// Options of `rollcall projects`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the projects that the key governs
    List,
    /// Make a project; this needs the key of the installation
    Create {
        /// Its name: a-z, 0-9, '.', '_' and '-'
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change a project
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
}

/// What a project can be told. What is not given stays as it is, or is the default.
#[derive(Debug, clap::Args)]
struct Settings {
    /// IANA name of the time zone in which its days begin and end; final once it has events
    #[arg(long)]
    time_zone: Option<String>,
    /// How many days events are kept, or none for ever; older ones are deleted for good
    #[arg(long, value_parser = number_or_none)]
    retention_days: Option<Value>,
    /// How many requests it may send in a second, or none for the default
    #[arg(long, value_parser = number_or_none)]
    requests_per_second: Option<Value>,
    /// How many events it may send in a second, or none for the default
    #[arg(long, value_parser = number_or_none)]
    events_per_second: Option<Value>,
    /// How many different event types it may have, or none for the default
    #[arg(long, value_parser = number_or_none)]
    max_event_types: Option<Value>,
}

impl Settings {
    /// The fields of a request.
    fn fields(self) -> Map<String, Value> {
        let limits = [
            ("requests_per_second", self.requests_per_second),
            ("events_per_second", self.events_per_second),
            ("max_event_types", self.max_event_types),
        ];
        let limits = given(limits);
        let limits = (!limits.is_empty()).then_some(Value::Object(limits));
        given([("time_zone", self.time_zone.map(Value::from)), ("retention_days", self.retention_days), ("limits", limits)])
    }
}

/// The fields that have a value.
fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A whole number, or `none`.
fn number_or_none(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(Value::Null);
    }
    text.parse::<u32>().map(Value::from).map_err(|_| "must be a whole number or none".to_owned())
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(arguments.target)?;
    let projects = match arguments.command {
        Command::List => client.list(PATH, &[]).await?,
        Command::Create { name, settings } => {
            let mut fields = settings.fields();
            fields.insert("name".to_owned(), json!(name));
            vec![client.make(PATH, &Value::Object(fields)).await?]
        }
        Command::Set { name, settings } => {
            let fields = settings.fields();
            anyhow::ensure!(!fields.is_empty(), "say what to change, such as --retention-days 90");
            let path = format!("{PATH}/{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
            vec![client.call_with(&Method::PATCH, &path, &[], &Value::Object(fields)).await?]
        }
    };
    print_list(&projects, arguments.json, &COLUMNS)
}
