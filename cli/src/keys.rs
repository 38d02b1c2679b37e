//! `rollcall keys`: lists, makes, rotates and revokes API keys over HTTP.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{print, print_list};
use crate::send::Target;

const PATH: &str = "/admin/keys";

/// The columns of the table, each with the path of its value.
const COLUMNS: [(&str, &str); 9] = [
    ("id", "/key_id"),
    ("project", "/project"),
    ("name", "/name"),
    ("scopes", "/scopes"),
    ("requests/s", "/limits/requests_per_second"),
    ("events/s", "/limits/events_per_second"),
    ("last used at", "/last_used_at"),
    ("expires at", "/expires_at"),
    ("revoked at", "/revoked_at"),
];

/// Options of `rollcall keys`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Print JSON instead of a table or the key alone
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys of a project, without their secrets
    List {
        /// The project; that of the API key by default
        #[arg(long)]
        project: Option<String>,
    },
    /// Make a key, and print it; it cannot be shown again
    Create {
        /// What the key is for
        name: String,
        /// One or more of ingest, read and admin, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// The project; that of the API key by default
        #[arg(long)]
        project: Option<String>,
        /// When it expires, such as 2030-01-01T00:00:00Z
        #[arg(long)]
        expires_at: Option<String>,
        /// How many requests may be sent with it in a second
        #[arg(long)]
        requests_per_second: Option<u32>,
        /// How many events may be sent with it in a second
        #[arg(long)]
        events_per_second: Option<u32>,
    },
    /// Make a key that takes the place of another, and print it
    Rotate {
        /// The id of the old key, as listed
        id: i32,
        /// How many seconds the old key remains valid
        #[arg(long, default_value_t = 3_600)]
        overlap_seconds: u32,
        /// When the new key expires, or none; when the old one would have by default
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// End a key at once
    Revoke {
        /// Its id, as listed
        id: i32,
    },
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(arguments.target)?;
    let json = arguments.json;
    match arguments.command {
        Command::List { project } => {
            let parameters: Vec<_> = project.into_iter().map(|project| ("project", project)).collect();
            let keys = client.list(PATH, &parameters).await?;
            if keys.is_empty() && !json {
                eprintln!("no keys");
                return Ok(());
            }
            print_list(&keys, json, &COLUMNS)
        }
        Command::Create { name, scopes, project, expires_at, requests_per_second, events_per_second } => {
            let limits = json!({ "requests_per_second": requests_per_second, "events_per_second": events_per_second });
            let body = json!({ "name": name, "scopes": scopes, "project": project, "expires_at": expires_at, "limits": limits });
            tell(&client.make(PATH, &body).await?, json)
        }
        Command::Rotate { id, overlap_seconds, expires_at } => {
            let mut body = json!({ "overlap_seconds": overlap_seconds });
            if let Some(end) = expires_at {
                body["expires_at"] = if end == "none" { Value::Null } else { Value::from(end) };
            }
            tell(&client.make(&format!("{PATH}/{id}/rotate"), &body).await?, json)
        }
        Command::Revoke { id } => {
            let key = client.call(&Method::DELETE, &format!("{PATH}/{id}"), &[]).await?;
            print_list(&[key], json, &COLUMNS)
        }
    }
}

/// Prints a new key: alone on standard output, so that a script can take it from there.
fn tell(key: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print(&key.to_string());
    }
    let [project, secret] = ["project", "key"].map(|name| key[name].as_str().unwrap_or_default());
    eprintln!("key {} of project {project}; keep it, because it cannot be shown again:", key["key_id"]);
    print(secret)
}
