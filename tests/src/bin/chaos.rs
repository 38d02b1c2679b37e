//! `chaos`: injects faults into a whole service of real processes, and says whether it kept its
//! promises. `make chaos` builds everything and runs it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rollcall_stack::Scratch;
use rollcall_tests::chaos::{FaultKind, Plan, Report, run, table};
use strum::VariantArray as _;

/// Injects faults into APIs, workers, nats-server and PostgreSQL under load, and checks that nothing
/// accepted was lost or doubled.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds of faults for each seed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed; the same seed gives the same faults and events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after another.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The kinds of fault, by comma; all when absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<FaultKind>,
    /// Keep the logs of all processes in this folder, one folder a seed. Without it they are kept only
    /// where something failed.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut reports: Vec<Report> = Vec::new();
    for seed in arguments.seed..arguments.seed + arguments.seeds {
        let report = run_seed(&arguments, seed).await;
        let failures = report.failures.len();
        eprintln!("seed {seed}: {} events acknowledged, {failures} failures", report.acknowledged);
        report.failures.iter().for_each(|failure| eprintln!("  {failure}"));
        reports.push(report);
    }
    print!("{}", table(&reports));
    if reports.iter().all(|report| report.failures.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run_seed(arguments: &Arguments, seed: u64) -> Report {
    let scratch = Scratch::make().expect("a temporary folder");
    let folder = match &arguments.keep {
        Some(folder) => folder.join(format!("seed-{seed}")),
        None => scratch.path().to_owned(),
    };
    fs::create_dir_all(&folder).expect("a folder for the logs");
    let faults = if arguments.faults.is_empty() { FaultKind::VARIANTS.to_vec() } else { arguments.faults.clone() };
    // Services run in this folder, so its path must hold wherever they are.
    let folder = fs::canonicalize(folder).expect("a folder that was just made");
    let plan = Plan { seed, duration: Duration::from_secs(arguments.seconds), faults, folder };
    let progress = ProgressBar::new(arguments.seconds).with_prefix(format!("seed {seed}"));
    progress.set_style(ProgressStyle::with_template("{prefix} {bar:20} {pos} of {len} s  {msg}").expect("a valid template"));
    let report = run(&plan, &progress).await;
    progress.finish_and_clear();
    if !report.failures.is_empty() && arguments.keep.is_none() {
        eprintln!("seed {seed}: the logs are in {}", scratch.keep().display());
    }
    report
}
