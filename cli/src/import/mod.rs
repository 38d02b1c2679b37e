//! `rollcall import`: sends files of events to the API. An import can be resumed and repeated.
//!
//! `input` reads records from the file, and `checkpoint` remembers how many batches the service has
//! confirmed. A file is cut into batches at the same records every time, and each batch carries an
//! idempotency key made of its number and content. So events without an id get the same id on every
//! run, and importing a file again stores nothing twice.

mod checkpoint;
mod input;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use rollcall_shared::shutdown;
use sha2::{Digest, Sha256};

use self::checkpoint::Checkpoint;
use self::input::Records;
use crate::progress;
use crate::send::{Batch, Outcome, Sender, Target};

/// Problems of one file that are listed. More would push the first ones out of sight.
const MAX_LISTED: usize = 20;

/// Options of `rollcall import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files to send: .csv, .ndjson or .jsonl, followed by .gz or .zst if compressed
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Events per request
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
    /// Requests in flight at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    in_flight: u16,
    /// Delimiter of the cells of a CSV file: one character, or tab
    #[arg(long, default_value = ",", value_name = "CHAR", value_parser = delimiter)]
    delimiter: char,
    /// Leave out and list invalid records instead of stopping at the first one
    #[arg(long)]
    partial: bool,
    /// Start at the first record, even if an earlier import was interrupted
    #[arg(long)]
    restart: bool,
}

/// Parses a delimiter. It is one byte, and neither a quote nor a line break.
fn delimiter(text: &str) -> Result<char, String> {
    match *text.chars().collect::<Vec<_>>() {
        [character] if character.is_ascii() && !"\"\n\r".contains(character) => Ok(character),
        _ if text == "tab" || text == "\\t" => Ok('\t'),
        _ => Err("must be one ASCII character, or tab".to_owned()),
    }
}

/// Imports file after file.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    for file in &arguments.files {
        let size = std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
        let mut checkpoint = Checkpoint::open(file, size, arguments.batch, arguments.restart)?;
        let outcome = tokio::select! {
            outcome = import(file, size, &arguments, &mut checkpoint) => outcome,
            () = stop.cancelled() => Err(anyhow!("interrupted")),
        };
        match outcome {
            Ok(total) => {
                checkpoint.remove()?;
                total.ensure_events().with_context(|| file.display().to_string())?;
            }
            Err(error) => {
                eprintln!("{}", checkpoint.how_to_resume());
                return Err(error.context(file.display().to_string()));
            }
        }
    }
    Ok(())
}

async fn import(file: &Path, size: u64, arguments: &Arguments, checkpoint: &mut Checkpoint) -> anyhow::Result<Total> {
    let started = Instant::now();
    let confirmed = checkpoint.batches;
    if confirmed > 0 {
        eprintln!("resuming after {confirmed} confirmed batches; --restart begins anew");
    }
    let bar = progress::of_bytes(size);
    let records = Records::open(file, arguments.delimiter, &bar)?;
    let sender = Sender::new(arguments.target.clone(), bar.clone())?;
    let pieces = Pieces { records, number: 0, size: arguments.batch, partial: arguments.partial, is_over: false };
    let mut outcomes = stream::iter(pieces)
        .filter(|piece| std::future::ready(piece.batch.number >= confirmed))
        .map(|piece| send(&sender, piece))
        // Outcomes come in order, so that every batch before the checkpoint is confirmed.
        .buffered(arguments.in_flight.into());
    let mut total = Total { was_begun: confirmed > 0, ..Total::default() };
    while let Some(outcome) = outcomes.try_next().await? {
        total.add(outcome, &bar);
        checkpoint.advance()?;
    }
    bar.finish_and_clear();
    if total.listed == MAX_LISTED {
        eprintln!("  no more than {MAX_LISTED} problems are listed");
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = total.accepted as f64 / seconds;
    println!(
        "{}: {} events accepted, {} rejected, in {seconds:.1} s ({rate:.0} a second)",
        file.display(),
        total.accepted,
        total.rejected
    );
    Ok(total)
}

/// What became of a file.
#[derive(Debug, Default)]
struct Total {
    accepted: u64,
    rejected: u64,
    /// Problems that were listed.
    listed: usize,
    /// Whether an earlier run confirmed the first batches.
    was_begun: bool,
}

impl Total {
    /// Counts the events of a batch, and lists its problems.
    fn add(&mut self, outcome: Outcome, bar: &ProgressBar) {
        self.accepted += outcome.accepted;
        self.rejected += outcome.rejected;
        for problem in outcome.problems.into_iter().take(MAX_LISTED - self.listed) {
            bar.suspend(|| eprintln!("  rejected: {problem}"));
            self.listed += 1;
        }
    }

    /// # Errors
    /// No event of the file was accepted, which cannot be what the user wanted.
    fn ensure_events(&self) -> anyhow::Result<()> {
        ensure!(self.was_begun || self.accepted > 0 || self.rejected > 0, "the file holds no events");
        ensure!(self.was_begun || self.accepted > 0, "no event was accepted");
        Ok(())
    }
}

/// Consecutive records of the file, as many as a request has events.
struct Piece {
    /// The records that can be sent.
    batch: Batch,
    /// The problems of the other records.
    rejected: Vec<String>,
    /// Why the import ends here.
    failure: Option<anyhow::Error>,
}

async fn send(sender: &Sender, piece: Piece) -> anyhow::Result<Outcome> {
    if let Some(failure) = piece.failure {
        return Err(failure);
    }
    let place = piece.batch.file_lines.first().map(|line| format!("the batch that begins at line {line}"));
    let mut outcome = match place {
        Some(place) => sender.send(piece.batch).await.context(place)?,
        None => Outcome::default(),
    };
    outcome.rejected += piece.rejected.len() as u64;
    outcome.problems.splice(0..0, piece.rejected);
    Ok(outcome)
}

/// Cuts records into pieces. The cuts are at the same records every time, even if some are invalid.
struct Pieces {
    records: Records,
    number: u64,
    size: u64,
    partial: bool,
    is_over: bool,
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let (mut lines, mut file_lines, mut rejected, mut failure) = (Vec::new(), Vec::new(), Vec::new(), None);
        for _ in 0..self.size {
            if self.is_over {
                break;
            }
            match self.records.append_next(&mut lines) {
                Ok(Some(record)) => match record.problem {
                    None => file_lines.push(record.line),
                    Some(problem) if self.partial => rejected.push(format!("line {}: {problem}", record.line)),
                    Some(problem) => failure = Some(anyhow!("line {}: {problem}", record.line)),
                },
                Ok(None) => self.is_over = true,
                Err(error) => failure = Some(error),
            }
            self.is_over |= failure.is_some();
        }
        if file_lines.is_empty() && rejected.is_empty() && failure.is_none() {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let idempotency_key = Some(idempotency_key(number, &lines));
        let batch = Batch { number, idempotency_key, lines, partial: self.partial, file_lines };
        Some(Piece { batch, rejected, failure })
    }
}

fn idempotency_key(number: u64, lines: &[u8]) -> String {
    let digest = Sha256::digest(lines);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("import-{number}-{hex}")
}
