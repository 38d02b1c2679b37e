//! Growth: the rate of storing events with different numbers of rows in place.
//!
//! At every stage, three requests follow each other without a pause. The first three come right after a
//! checkpoint, when PostgreSQL logs every page completely at its first change; the next three find these
//! pages logged. Then the stored events are removed, so that repetitions do not influence each other.

use std::time::Instant;

use crate::Bench;
use crate::batch::Batch;
use crate::outcome::Outcome;
use crate::row::Row;
use crate::snapshot::Snapshot;
use crate::stage::Stage;

/// Number of requests that follow each other.
const REQUESTS: u64 = 3;
/// Target: the least ratio of the rate with all rows in place to the rate without rows.
const AT_LEAST: f64 = 0.8;

/// The measurements of one stage.
struct Figures<'a> {
    stage: &'a Stage,
    snapshot: Snapshot,
    after_checkpoint: Load,
    after_that: Load,
}

impl<'a> Figures<'a> {
    async fn new(stage: &'a Stage) -> anyhow::Result<Self> {
        stage.service.quiet().await?;
        if stage.rows == 0 {
            // Other topics may have stored events there.
            stage.service.database.clear().await?;
        }
        Ok(Self {
            stage,
            snapshot: Snapshot::take(&stage.service.database.pool).await?,
            after_checkpoint: Load::new("right after a checkpoint, ", stage),
            after_that: Load::new("", stage),
        })
    }
}

/// Rate and log volume of one group of requests.
struct Load {
    rate: Row,
    wal: Row,
}

impl Load {
    fn new(when: &str, stage: &Stage) -> Self {
        let name = stage.name();
        Self {
            rate: Row::higher(format!("events stored, {when}{name}"), "events/s"),
            wal: Row::lower(format!("write-ahead log, {when}{name}"), "bytes/event"),
        }
    }

    async fn measure(&mut self, stage: &Stage, batches: &[Batch]) -> anyhow::Result<()> {
        let (service, database) = (&stage.service, &stage.service.database);
        let events: u64 = batches.iter().map(|batch| batch.events).sum();
        let log_before = database.wal_bytes().await?;
        let started = Instant::now();
        let bodies: Vec<&[u8]> = batches.iter().map(|batch| batch.json.as_slice()).collect();
        service.ingest_all(&bodies, events).await?;
        self.rate.ours.push(events as f64 / started.elapsed().as_secs_f64());
        // The cost includes folding the deltas.
        service.quiet().await?;
        self.wal.ours.push((database.wal_bytes().await? - log_before) / events as f64);
        Ok(())
    }
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    weigh(bench, outcome).await?;
    let mut all = Vec::new();
    for stage in &bench.stages {
        all.push(Figures::new(stage).await?);
    }
    warm_up(bench).await?;
    for rep in 0..bench.reps() {
        let (first, second) = (batches(bench, rep * 2)?, batches(bench, rep * 2 + 1)?);
        for figures in &mut all {
            figures.snapshot.restore().await?;
            figures.stage.service.database.checkpoint().await?;
            figures.after_checkpoint.measure(figures.stage, &first).await?;
            figures.after_that.measure(figures.stage, &second).await?;
        }
    }
    compare(&mut all);
    for figures in all {
        figures.snapshot.end().await?;
        for load in [figures.after_that, figures.after_checkpoint] {
            outcome.rows.extend([load.rate, load.wal]);
        }
    }
    Ok(())
}

/// Number of users in the requests: the same at each stage, as many as the largest stage has.
fn users(bench: &Bench) -> u32 {
    u32::try_from(bench.full().rows / crate::ROWS_PER_USER).unwrap_or(u32::MAX).max(50_000)
}

fn batches(bench: &Bench, load: u64) -> anyhow::Result<Vec<Batch>> {
    (0..REQUESTS).map(|request| batch(bench, (load + 1) * REQUESTS + request)).collect()
}

/// A batch of events that no earlier run has stored in a kept data folder, because duplicates would not be
/// stored.
fn batch(bench: &Bench, number: u64) -> anyhow::Result<Batch> {
    Batch::new(bench.arguments.events, users(bench), bench.first_seed.wrapping_add(number))
}

/// Stores some events at every stage, so that its worker has cached most of the users.
async fn warm_up(bench: &Bench) -> anyhow::Result<()> {
    for stage in &bench.stages {
        for request in 0..REQUESTS {
            let batch = batch(bench, request)?;
            stage.service.ingest(&batch.json, batch.events).await?;
        }
        stage.service.quiet().await?;
    }
    Ok(())
}

/// Measures the size on disk before other events are stored.
async fn weigh(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    for stage in bench.stages.iter().filter(|stage| stage.rows > 0) {
        let database = &stage.service.database;
        let (bytes, counted) = (database.bytes().await?, database.counted().await? as f64);
        for (name, bytes) in [
            ("all tables with their indexes", bytes.sum()),
            ("the ledger of identities", bytes.ledger),
            ("the events", bytes.events),
            ("rollups and dictionaries", bytes.rest),
        ] {
            let mut row = Row::lower(format!("on disk, {}: {name}", stage.name()), "bytes/event");
            row.ours.push(bytes / counted);
            outcome.rows.push(row);
        }
    }
    Ok(())
}

/// Adds the stage without rows as the yardstick of the others.
fn compare(all: &mut [Figures<'_>]) {
    let Some((empty, others)) = all.split_first_mut() else { return };
    let last = others.len();
    for (place, figures) in others.iter_mut().enumerate() {
        let at_least = Some(AT_LEAST).filter(|_| place + 1 == last);
        against_empty(&mut figures.after_that.rate, &empty.after_that.rate, at_least);
        against_empty(&mut figures.after_checkpoint.rate, &empty.after_checkpoint.rate, None);
    }
}

fn against_empty(row: &mut Row, empty: &Row, at_least: Option<f64>) {
    *row = row.clone().against("the same with no rows", at_least);
    row.yardsticks[0].measurements = empty.ours.clone();
}
