//! `rollcall-bench`: what Rollcall costs, measured with every promise about speed and its yardsticks
//! in one run.
//!
//! A `topic` measures a group of rows: contenders take turns in each repetition, so that a busy
//! neighbour disturbs all of them alike and ratios hold where absolute figures do not. The service
//! under test runs as it does in production: `service` starts API and worker as processes of the
//! `rollcall` program, with more or fewer rows in place (`stage`). `yardstick` holds what it is
//! compared with. `report` writes the table.
//!
//! It is not a load generator for other installations: it measures its own private servers only.
//! It is a program of its own because it turns on the feature `bench` of API and worker, which the
//! shipped programs must not have.

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

/// Rows of the stage between none and all, to which reads are compared.
const MIDDLE_ROWS: u64 = 2_000_000;
/// Rows a user, as in the sample events.
const ROWS_A_USER: u64 = 40;
/// The fewest users of a stage: enough for cohorts.
const MIN_USERS: u64 = 1_000;

/// Measure what Rollcall costs against yardsticks, on private local servers.
#[derive(Debug, Parser)]
#[command(name = "rollcall-bench", version, about)]
struct Arguments {
    /// Rows in place for the largest stage; 2,000,000 is also measured if this is more
    #[arg(long, default_value_t = MIDDLE_ROWS, value_name = "N")]
    rows: u64,
    /// Repetitions of every measurement
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// Measure these only
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
    /// Be the API that answers without publishing
    #[arg(long, hide = true)]
    serve_without_publishing: bool,
}

/// Everything that topics measure.
struct Bench {
    arguments: Arguments,
    // Declared before the servers, so that the services stop first.
    stages: Vec<Stage>,
    stack: Stack,
    /// Of the batches of this run.
    first_seed: u64,
}

impl Bench {
    /// The service without rows. Topics store some, and clear them away where it matters.
    fn empty(&self) -> &Stage {
        &self.stages[0]
    }

    /// The service with the most rows.
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

/// Measures, prints the table and writes it.
///
/// # Errors
/// If something does not start, an answer is wrong or takes too long, or the result cannot be written.
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    ensure!(arguments.seconds > 0.0, "--seconds must be more than 0");
    progress::say("starting PostgreSQL and nats-server");
    let data = arguments.data.clone();
    let stack = tokio::task::spawn_blocking(move || data.map_or_else(Stack::ephemeral, |data| Stack::start(&data))).await??;
    let mut machine = Machine::look(&stack).await?;
    // Milliseconds: runs that follow each other have room for all their batches in between.
    let first_seed = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    let mut bench = Bench { stages: Vec::new(), stack, arguments, first_seed };
    let outcome = measure(&mut bench).await;
    machine.note_end();
    if let Ok(outcome) = &outcome {
        report::write(&bench.arguments, &machine, outcome)?;
    }
    // Stopping servers blocks.
    tokio::task::spawn_blocking(move || drop(bench)).await?;
    outcome.map(|_| ())
}

async fn measure(bench: &mut Bench) -> anyhow::Result<Outcome> {
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
    }
    Ok(outcome)
}

fn prefill(rows: u64) -> Prefill {
    let users = (rows / ROWS_A_USER).max(MIN_USERS);
    Prefill { rows, users: u32::try_from(users).unwrap_or(u32::MAX), seed: rows }
}
