//! The `rollcall` command: everything that people run.
//!
//! `dev` runs the whole service on private servers; `api` and `worker` run one of the two services; `migrate`,
//! `expire`, `rebuild`, `config`, `health`, `projects`, `keys`, `schemas` and `dead-letters` are for operators; `archive`, `restore` and
//! `replay` are for days that are over; `openapi` prints the description of the API; `generate` and `import` send events.

mod archive;
mod client;
mod config;
mod dead_letters;
mod demo;
mod dev;
mod durability;
mod expire;
mod generate;
mod health;
mod import;
mod keys;
mod migrate;
mod output;
mod progress;
mod projects;
mod rebuild;
mod replay;
mod restore;
mod schemas;
mod send;

use clap::{Parser, Subcommand};
use rollcall_api::ApiSettings;
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_shared::{dotenv, shutdown};
use rollcall_worker::WorkerSettings;
use tokio::net::TcpListener;

use self::durability::MonitorSettings;

/// Self-hosted event analytics: send events over HTTP, and query who was active.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process on private local PostgreSQL and NATS
    Dev(dev::Arguments),
    /// Run the API: accept events and answer queries over HTTP
    Api,
    /// Run a worker, which stores accepted events; any number can run at once
    Worker,
    /// Bring the database schema, streams and consumers up to date
    Migrate,
    /// Delete the events that projects keep no longer, or show how many there are
    Expire(expire::Arguments),
    /// Compare the rollups with the rows, and replace what is wrong
    Rebuild(rebuild::Arguments),
    /// List every setting with its value and meaning
    Config,
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Exit with 0 if a service answers that it is ready
    Health(health::Arguments),
    /// List, make or change projects
    Projects(projects::Arguments),
    /// List, make, rotate or revoke API keys
    Keys(keys::Arguments),
    /// List, show, set or remove the JSON Schemas of event types
    Schemas(schemas::Arguments),
    /// List, show, redrive or purge dead letters: events that could not be stored
    DeadLetters(dead_letters::Arguments),
    /// Generate realistic sample events, and write them to a file or send them to the API
    Generate(generate::Arguments),
    /// Import files of events through the API
    Import(import::Arguments),
    /// Archive days that are over as Parquet files, list and verify them, and drop their rows
    Archive(archive::Arguments),
    /// Put rows that were dropped back, from the archive
    Restore(restore::Arguments),
    /// Send archived events through the API again, into another project
    Replay(replay::Arguments),
}

fn main() -> anyhow::Result<()> {
    // This comes first, because some arguments take their defaults from the environment, and because
    // no other thread may read the environment at the same time.
    let loaded = dotenv::load();
    // `--help` works even if `.env` cannot be loaded.
    let cli = Cli::parse();
    loaded?;
    execute(cli.command)
}

#[tokio::main]
async fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Dev(arguments) => dev::run(arguments).await,
        Command::Api => {
            let (settings, stop) = start(ApiSettings::from_env)?;
            let listener = TcpListener::bind(settings.listen).await?;
            rollcall_api::run(settings, listener, stop).await
        }
        Command::Worker => {
            let (settings, stop) = start(WorkerSettings::from_env)?;
            let listener = TcpListener::bind(settings.listen).await?;
            rollcall_worker::run(settings, listener, stop).await
        }
        Command::Migrate => migrate::run().await,
        Command::Expire(arguments) => expire::run(arguments).await,
        Command::Rebuild(arguments) => rebuild::run(arguments).await,
        Command::Config => config::run(),
        Command::Openapi => {
            println!("{}", rollcall_api::openapi());
            Ok(())
        }
        Command::Health(arguments) => health::run(&arguments).await,
        Command::Projects(arguments) => projects::run(arguments).await,
        Command::Keys(arguments) => keys::run(arguments).await,
        Command::Schemas(arguments) => schemas::run(arguments).await,
        Command::DeadLetters(arguments) => dead_letters::run(arguments).await,
        Command::Generate(arguments) => generate::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Archive(arguments) => archive::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Replay(arguments) => replay::run(arguments).await,
    }
}

/// Reads the settings of a service, starts its logs and watches for signals.
fn start<S>(from_env: impl FnOnce(&mut Environment) -> S) -> anyhow::Result<(S, tokio_util::sync::CancellationToken)> {
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = from_env(&mut environment);
    let monitor = MonitorSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    // Nothing waits for this check: the server may start later than this process.
    tokio::spawn(monitor.report());
    Ok((settings, shutdown::on_signal()?))
}
