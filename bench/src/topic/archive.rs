//! Archive: one day that is over is exported into a folder of this machine, dropped, restored, and replayed into another
//! project. Then the copy is exported while events are ingested.
//!
//! Each repetition has a database of its own, because an archived day is not archived again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rollcall_archive::{
    ArchiveSettings, Detaching, Exporting, Location, Lock, Pace, Selection, Silent, Store, detach, export, registered, restore,
};
use rollcall_example::Config;
use rollcall_shared::project::ProjectId;
use rollcall_worker::bulk::{Lines, Loader};
use sqlx::PgPool;

use crate::Bench;
use crate::batch::Batch;
use crate::client::KEY;
use crate::database::Database;
use crate::measurements::Measurements;
use crate::number::grouped;
use crate::outcome::Outcome;
use crate::prefill::in_order_of_time;
use crate::row::Row;
use crate::service::{Service, rollcall_program};

/// More rows say nothing else.
const MAX_ROWS: u64 = 1_000_000;
/// The partition of a day so long ago is one of a month, and has no later days.
const DAYS_AGO: i64 = 70;
/// The project that gets the replayed events.
const COPY: &str = "copy";
/// Requests before the export of the copy begins, and after it.
const REQUESTS_ALONE: usize = 8;
/// Number of users in the events that are ingested beside the export.
const USERS: u32 = 50_000;
/// Seeds far from those of the archived events.
const BESIDE_SEED: u64 = 1_000_000;

/// The rows of the report.
struct Rates {
    export: Row,
    bytes: Row,
    drop: Row,
    restore: Row,
    replay: Row,
    beside: Row,
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let rows = bench.arguments.rows.min(MAX_ROWS);
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_sub(DAYS_AGO.days());
    let name = |what: &str| format!("{what} a day of {} rows", grouped(rows));
    let mut rates = Rates {
        export: Row::higher(name("export"), "rows/s"),
        bytes: Row::lower(format!("{}: its files", name("export")), "bytes/row"),
        drop: Row::higher(name("verify and drop"), "rows/s"),
        restore: Row::higher(name("restore"), "rows/s"),
        replay: Row::higher(format!("{} into another project, until stored", name("replay")), "events/s"),
        beside: Row::lower(
            format!("one request of {} events, request to all stored, while a day is exported", grouped(bench.arguments.events)),
            "s",
        )
        .against("the same without the export", Some(0.87)),
    };
    for rep in 0..bench.reps() {
        let database = Database::create(&bench.stack.postgres, "archive").await?;
        database.migrate().await?;
        database.add_project(COPY, "archive-key").await?;
        fill(&database.pool, day, rows, bench.first_seed + rep).await?;
        let folder = bench.stack.folder().join(format!("archive-{rep}"));
        let store = Store::open(&settings(&folder))?;
        there_and_back(&database.pool, &store, rows, &mut rates).await?;
        let pool = database.pool.clone();
        let service = Service::start(bench.stack.folder(), database).await?;
        let started = Instant::now();
        replay(&service, &folder, day).await?;
        service.wait_until_drained().await?;
        rates.replay.ours.push(rows as f64 / started.elapsed().as_secs_f64());
        beside(bench, &service, &folder, pool, &mut rates.beside).await?;
        std::fs::remove_dir_all(&folder)?;
    }
    outcome.rows.extend([rates.export, rates.bytes, rates.drop, rates.restore, rates.replay, rates.beside]);
    outcome.note("The archive is in a folder of this machine, so the figures are without the time of a network.".to_owned());
    Ok(())
}

/// Stores the events of a day, and builds its indexes.
async fn fill(pool: &PgPool, day: Date, rows: u64, seed: u64) -> anyhow::Result<()> {
    rollcall_worker::make_partitions(pool).await?;
    let loader = Loader::new(pool.clone());
    let mut config = Config::new(rows, day, day);
    config.seed = seed;
    let batches = tokio::task::spawn_blocking(move || in_order_of_time(config)).await??;
    for lines in batches {
        loader.store(&Lines::new(ProjectId::DEFAULT, lines.bytes)).await?;
    }
    loader.compact().await?;
    loader.seal().await
}

fn settings(folder: &Path) -> ArchiveSettings {
    ArchiveSettings {
        location: Location::Folder(folder.to_owned()),
        after_days: 0,
        duty_cycle_percent: Pace::DEFAULT_PERCENT,
        endpoint: String::new(),
        region: String::new(),
        access_key_id: None,
        secret_access_key: None,
    }
}

/// Exports, drops and restores the day.
async fn there_and_back(pool: &PgPool, store: &Store, rows: u64, rates: &mut Rates) -> anyhow::Result<()> {
    let all = Selection::default();
    let mut lock = Lock::take(pool).await?;

    let started = Instant::now();
    let exporting = Exporting { selection: &all, after_days: 0, pace: Pace::full_speed() };
    let exported = export(pool, store, &mut lock, exporting, &Silent).await?;
    rates.export.ours.push(rows as f64 / started.elapsed().as_secs_f64());
    ensure!(exported.days.iter().map(|(_, rows)| rows).sum::<u64>() == rows, "not all rows were archived");
    let bytes: u64 = registered(pool, &all).await?.iter().map(|day| day.bytes).sum();
    rates.bytes.ours.push(bytes as f64 / rows as f64);

    let before = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_sub(1.day());
    let started = Instant::now();
    let detached = detach(pool, store, &mut lock, Detaching { before, dry_run: false }, &Silent).await?;
    rates.drop.ours.push(rows as f64 / started.elapsed().as_secs_f64());
    ensure!(detached.iter().map(|partition| partition.rows).sum::<u64>() == rows, "not all rows were dropped");

    let started = Instant::now();
    let restored = restore(pool, store, &mut lock, (&all, false), &Silent).await?;
    rates.restore.ours.push(rows as f64 / started.elapsed().as_secs_f64());
    ensure!(restored.days.iter().map(|(_, rows)| rows).sum::<u64>() == rows, "not all rows were restored");
    Ok(())
}

/// Ingests requests for as long as the copy is exported, at the pace at which a worker does it; and before and after that
/// alone, because requests take longer as the days fill that they are for.
async fn beside(bench: &Bench, service: &Service, folder: &Path, pool: PgPool, row: &mut Row) -> anyhow::Result<()> {
    let mut seed = bench.first_seed + BESIDE_SEED;
    let mut ingest = async || {
        seed += 1;
        let batch = Batch::new(bench.arguments.events, USERS, seed)?;
        let timing = service.ingest(&batch.json, batch.events).await?;
        anyhow::Ok(timing.accepted_secs + timing.stored_secs)
    };
    let (mut alone, mut beside) = (Measurements::default(), Measurements::default());
    for _ in 0..REQUESTS_ALONE {
        service.quiet().await?;
        alone.push(ingest().await?);
    }
    service.quiet().await?;
    let store = Store::open(&settings(folder))?;
    let export = tokio::spawn(async move {
        let (all, mut lock) = (Selection::default(), Lock::take(&pool).await?);
        let exporting = Exporting { selection: &all, after_days: 0, pace: Pace::new(Pace::DEFAULT_PERCENT) };
        export(&pool, &store, &mut lock, exporting, &Silent).await
    });
    loop {
        let secs = ingest().await?;
        // The last request had the export beside it for a part of its time only.
        if export.is_finished() {
            break;
        }
        beside.push(secs);
        service.quiet().await?;
    }
    let exported = export.await??;
    ensure!(exported.failures.is_empty(), "not all days were archived");
    for _ in 0..REQUESTS_ALONE {
        service.quiet().await?;
        alone.push(ingest().await?);
    }
    if !beside.is_empty() {
        row.ours.push(beside.median());
        row.yardsticks[0].measurements.push(alone.median());
    }
    Ok(())
}

/// Sends the day as fast as the service takes it.
async fn replay(service: &Service, folder: &Path, day: Date) -> anyhow::Result<()> {
    let (program, folder, day) = (rollcall_program()?, PathBuf::from(folder), day.to_string());
    let url = format!("http://{}", service.api_address);
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["replay", "--from", &day, "--to", &day, "--into", COPY, "--events-per-second", "10000000"])
            .envs([("ROLLCALL_URL", url.as_str()), ("API_KEY", KEY)])
            .env("ARCHIVE_URL", folder)
            .output()
    });
    let output = output.await?.context("rollcall replay cannot be run")?;
    ensure!(output.status.success(), "rollcall replay failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
