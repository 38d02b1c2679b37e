//! `rollcall-bench` measures the speed of Rollcall, its targets and its yardsticks in one run.
//!
//! A `topic` measures a group of rows of the report. Rollcall and its yardsticks take turns in each
//! repetition, so other load on the machine affects all of them alike, and ratios are meaningful even if
//! absolute figures are not. The service under test runs as in production: `service` starts API and worker as
//! processes of the program `rollcall`, on a database with a given number of rows (`stage`). The modules of
//! `yardstick` are what it is compared with. `report` writes the table.
//!
//! The program is not a load generator for other installations: it measures only its own private servers. It
//! is separate from `rollcall` because it turns on the feature `bench` of API and worker, which the shipped
//! programs must not have.

mod batch;
mod client;
mod database;
mod load;
mod measurements;
mod number;
mod outcome;
mod prefill;
mod program;
mod progress;
mod report;
mod row;
mod service;
mod snapshot;
mod stage;
mod topic;
mod wait;
mod yardstick;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use rollcall_stack::Stack;

use self::outcome::Outcome;
use self::prefill::Prefill;
use self::report::machine::Machine;
use self::stage::Stage;
use self::topic::Topic;

/// Number of rows of the stage in the middle, with which reads of the largest stage are compared.
const MIDDLE_ROWS: u64 = 2_000_000;
/// Rows per user, as in the sample events.
const ROWS_PER_USER: u64 = 40;
/// Minimum number of users of a stage, so that cohorts are not empty.
const MIN_USERS: u64 = 1_000;

/// Measure the speed of Rollcall against yardsticks, on private local servers.
#[derive(Debug, Parser)]
#[command(name = "rollcall-bench", version, about)]
struct Arguments {
    /// Number of rows of the largest stage; if it is larger than 2,000,000, a stage with 2,000,000 rows is
    /// measured too
    #[arg(long, default_value_t = MIDDLE_ROWS, value_name = "N")]
    rows: u64,
    /// Repetitions of every measurement
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// Measure only these topics
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOPIC,..")]
    only: Vec<Topic>,
    /// Folder for bench.md and bench.json
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    out: PathBuf,
    /// Keep the data in this folder, so that the next run need not fill the tables again
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Python with the packages of bench/reference/requirements.txt; `make bench` installs them
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Events of the large request
    #[arg(long, default_value_t = batch::REQUEST_EVENTS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    events: u64,
    /// Seconds of load for each number of clients
    #[arg(long, default_value_t = 2.0, value_name = "SECS")]
    seconds: f64,
    /// Run as the API that answers without publishing
    #[arg(long, hide = true)]
    serve_without_publishing: bool,
}

/// The services and settings that topics use.
struct Bench {
    arguments: Arguments,
    // This field comes before the servers, so that the services stop first.
    stages: Vec<Stage>,
    stack: Stack,
    /// The seed of the first batch of this run.
    first_seed: u64,
}

impl Bench {
    /// The stage without rows. Topics store some rows there, and a topic that needs an empty database clears
    /// it.
    fn empty(&self) -> &Stage {
        &self.stages[0]
    }

    /// The stage with the most rows.
    fn full(&self) -> &Stage {
        &self.stages[self.stages.len() - 1]
    }

    fn reps(&self) -> u64 {
        self.arguments.reps.into()
    }

    fn load_time(&self) -> Duration {
        Duration::from_secs_f64(self.arguments.seconds)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.serve_without_publishing {
        return yardstick::unpublished::serve().await;
    }
    run(arguments).await
}

/// Runs the topics, prints the table and writes the report.
///
/// # Errors
/// If a server or service does not start, a response is wrong or takes too long, or the report cannot be
/// written.
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    ensure!(arguments.seconds > 0.0, "--seconds must be more than 0");
    progress::say("starting PostgreSQL and nats-server");
    let data = arguments.data.clone();
    let stack = tokio::task::spawn_blocking(move || data.map_or_else(Stack::ephemeral, |data| Stack::start(&data))).await??;
    let machine = Machine::look(&stack).await?;
    // The clock in milliseconds: seeds of one run do not reach those of the next, because a run has fewer
    // batches than milliseconds.
    let first_seed = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    let mut bench = Bench { stages: Vec::new(), stack, arguments, first_seed };
    let measured = measure(&mut bench, machine).await;
    // Stopping servers blocks.
    tokio::task::spawn_blocking(move || drop(bench)).await?;
    measured
}

/// Measures topic after topic. Writes the report after each of them, so that a run that does not end has one.
async fn measure(bench: &mut Bench, mut machine: Machine) -> anyhow::Result<()> {
    Topic::prepare(&bench.arguments.only, &bench.stack).await?;
    let all = bench.arguments.rows;
    for rows in [0, MIDDLE_ROWS.min(all), all] {
        if bench.stages.iter().all(|stage| stage.rows != rows) {
            bench.stages.push(Stage::open(&bench.stack, prefill(rows)).await?);
        }
    }
    let mut outcome = Outcome::default();
    for topic in Topic::chosen(&bench.arguments.only) {
        progress::say(&format!("measuring {topic}"));
        topic.run(bench, &mut outcome).await?;
        machine.note_end();
        report::write(&bench.arguments, &machine, &outcome)?;
    }
    report::print(&bench.arguments, &machine, &outcome)
}

fn prefill(rows: u64) -> Prefill {
    let users = (rows / ROWS_PER_USER).max(MIN_USERS);
    Prefill { rows, users: u32::try_from(users).unwrap_or(u32::MAX), seed: rows }
}
