//! `rollcall import`: a file of events through the API, resumable and idempotent.
//!
//! `input` reads records from the file, `checkpoint` remembers how far the service has confirmed
//! them. A file is cut into batches at the same records every time, and each batch carries an
//! idempotency key made of its number and content: events without an id get the same one on every
//! run, so importing a file again stores nothing twice.

mod checkpoint;
mod input;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use futures::{TryStreamExt, stream};
use sha2::{Digest, Sha256};

use self::checkpoint::Checkpoint;
use self::input::Records;
use crate::progress;
use crate::send::{self, Batch, Outcome, Target};

/// What to import, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files to send: .csv, .ndjson or .jsonl, with .gz or .zst behind it if compressed
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Events in one request
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
    /// Requests on their way at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    in_flight: u16,
    /// Leave out invalid events instead of stopping at the first
    #[arg(long)]
    partial: bool,
    /// Begin at the first record, even if an earlier import was interrupted
    #[arg(long)]
    restart: bool,
}

/// Imports file after file.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    for file in &arguments.files {
        import(file, &arguments).await.with_context(|| file.display().to_string())?;
    }
    Ok(())
}

async fn import(file: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let size = std::fs::metadata(file).context("cannot be read")?.len();
    let mut checkpoint = Checkpoint::open(file, size, arguments.batch, arguments.restart)?;
    if checkpoint.batches > 0 {
        eprintln!("resuming after {} confirmed batches; --restart begins anew", checkpoint.batches);
    }
    let bar = progress::of_bytes(size);
    let records = Records::open(file, &bar)?;
    let client = send::client()?;
    let confirmed = checkpoint.batches;
    let batches = Batches { records, number: 0, size: arguments.batch, partial: arguments.partial };
    let mut outcomes = stream::iter(batches)
        .try_filter(|batch| std::future::ready(batch.number >= confirmed))
        .map_ok(|batch| send_one(&client, &arguments.target, arguments.batch, batch))
        // In order, so that the checkpoint always stands behind confirmed batches only.
        .try_buffered(arguments.in_flight.into());
    let mut total = Outcome::default();
    while let Some(outcome) = outcomes.try_next().await? {
        total.accepted += outcome.accepted;
        total.rejected += outcome.rejected;
        checkpoint.advance()?;
    }
    checkpoint.remove()?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let rate = total.accepted as f64 / seconds;
    println!(
        "{}: {} events accepted, {} rejected, in {seconds:.1} s ({rate:.0} a second)",
        file.display(),
        total.accepted,
        total.rejected
    );
    Ok(())
}

async fn send_one(client: &reqwest::Client, target: &Target, batch_size: u64, batch: Batch) -> anyhow::Result<Outcome> {
    let first = batch.number * batch_size + 1;
    send::send(client, target, batch).await.with_context(|| format!("the batch that begins at record {first}"))
}

/// Cuts records into batches.
struct Batches {
    records: Records,
    number: u64,
    size: u64,
    partial: bool,
}

impl Iterator for Batches {
    type Item = anyhow::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        for _ in 0..self.size {
            match self.records.append_next(&mut lines) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        if lines.is_empty() {
            return None;
        }
        let number = self.number;
        self.number += 1;
        Some(Ok(Batch { number, idempotency_key: Some(idempotency_key(number, &lines)), lines, partial: self.partial }))
    }
}

fn idempotency_key(number: u64, lines: &[u8]) -> String {
    let digest = Sha256::digest(lines);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("import-{number}-{hex}")
}
