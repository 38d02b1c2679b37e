//! One run: everything is started, disturbed, left in peace, judged, and stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::calm::Calm;
use super::catalog::Catalog;
use super::client::{self, Sender};
use super::failure::Failures;
use super::fault::FaultKind;
use super::fleet::Fleet;
use super::injector::inject;
use super::leaks::Tables;
use super::ledger::{Ledger, Standing};
use super::recovery::Recovery;
use super::report::Report;
use super::rows::refuse_poison;
use super::schedule::{Round, schedule};
use super::verdict::{Court, Figures};

const APIS: usize = 2;
const WORKERS: usize = 3;
const CLIENTS: u64 = 8;
/// Enough poison to have a dead letter every second, and good neighbours for all of it.
const POISON_ONE_IN: u64 = 2_000;
/// Requests in a hundred that wait until their events are stored.
const WAITS_PER_CENT: u32 = 10;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the schedule, the events and the clients follow from.
    pub seed: u64,
    /// How long faults happen and clients send.
    pub duration: Duration,
    /// The kinds of fault that happen.
    pub faults: Vec<FaultKind>,
    /// Where the logs of all processes go; it must be there.
    pub folder: PathBuf,
}

/// Runs the plan to its end.
///
/// # Panics
/// If the servers or services cannot be started, or the harness itself fails.
pub async fn run(plan: &Plan, progress: &ProgressBar) -> Report {
    // Two crates with a TLS provider each are in the tree; reqwest wants to be told which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    progress.set_message("starting");
    let stage = Stage::set(plan).await;
    let supervising = CancellationToken::new();
    let supervisor = tokio::spawn(supervise(stage.fleet.clone(), stage.failures.clone(), supervising.clone()));
    let faults = stage.disturb(plan, progress).await;
    progress.set_message("no more faults; draining and judging");
    stage.failures.extend(stage.fleet.wait_until_ready().await.err());
    stage.fleet.archivist.finish(&stage.failures).await;
    let figures = stage.court().judge().await;
    supervising.cancel();
    supervisor.await.expect("the supervisor does not panic");
    stage.fleet.stop(&stage.failures).await;
    stage.fleet.keep_server_logs().await;
    stage.report(plan, faults, figures)
}

/// Everything that takes part.
struct Stage {
    fleet: Arc<Fleet>,
    sender: Arc<Sender>,
    failures: Arc<Failures>,
    recovery: Arc<Recovery>,
    tables: Tables,
}

impl Stage {
    async fn set(plan: &Plan) -> Self {
        let fleet = Arc::new(Fleet::start(APIS, WORKERS, &plan.folder).await);
        refuse_poison(&fleet.pool).await;
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let failures = Arc::new(Failures::default());
        let sender = Arc::new(Sender {
            catalog: Arc::new(Catalog { seed: plan.seed, today, poison_one_in: POISON_ONE_IN }),
            ledger: Arc::new(Ledger::default()),
            failures: failures.clone(),
            http: reqwest::Client::new(),
            pool: fleet.pool.clone(),
            fronts: fleet.front_ports(),
            waits_per_cent: WAITS_PER_CENT,
        });
        let recovery = Recovery {
            sender: sender.clone(),
            calm: Arc::new(Calm::default()),
            failures: failures.clone(),
            longest: Mutex::default(),
        };
        recovery.calm.restore();
        let tables = Tables::read(&fleet.pool).await;
        Self { fleet, sender, failures, recovery: Arc::new(recovery), tables }
    }

    /// Sends and disturbs as long as the plan says; returns how many faults of each kind there were.
    async fn disturb(&self, plan: &Plan, progress: &ProgressBar) -> BTreeMap<FaultKind, u64> {
        let began = Instant::now();
        let stop = CancellationToken::new();
        let mut clients: JoinSet<()> =
            (0..CLIENTS).map(|number| client::run(self.sender.clone(), number, stop.clone())).collect();
        let archivist = tokio::spawn(self.fleet.archivist.clone().run(plan.seed, stop.clone()));
        let mut recoveries = JoinSet::new();
        let mut faults = BTreeMap::new();
        for round in schedule(plan.seed, plan.duration, &plan.faults) {
            // A round that took longer than planned puts the later ones off, and the last ones out.
            if began.elapsed() >= plan.duration {
                break;
            }
            tokio::time::sleep_until((began + round.at).into()).await;
            progress.set_position(began.elapsed().as_secs());
            progress.set_message(format!("{}: {} requests", names(&round), self.sender.ledger.requests()));
            let kinds = self.inject(round).await;
            kinds.iter().for_each(|kind| *faults.entry(*kind).or_default() += 1);
            let recovery = self.recovery.clone();
            recoveries.spawn(async move { recovery.measure(kinds).await });
        }
        tokio::time::sleep_until((began + plan.duration).into()).await;
        progress.set_position(plan.duration.as_secs());
        progress.set_message("clients finish");
        stop.cancel();
        archivist.await.expect("the archivist does not panic");
        while clients.join_next().await.transpose().expect("no client panics").is_some() {}
        while recoveries.join_next().await.transpose().expect("no probe panics").is_some() {}
        faults
    }

    async fn inject(&self, round: Round) -> Vec<FaultKind> {
        let kinds = round.faults.iter().map(|fault| fault.kind).collect();
        self.recovery.calm.disturb();
        join_all(round.faults.into_iter().map(|fault| inject(&self.fleet, &self.sender, fault))).await;
        self.recovery.calm.restore();
        kinds
    }

    fn court(&self) -> Court<'_> {
        Court { fleet: &self.fleet, sender: &self.sender, failures: &self.failures, tables: &self.tables }
    }

    fn report(&self, plan: &Plan, faults: BTreeMap<FaultKind, u64>, figures: Figures) -> Report {
        let standings = self.sender.ledger.standings();
        Report {
            seed: plan.seed,
            seconds: plan.duration.as_secs(),
            acknowledged: standings.iter().filter(|standing| **standing == Standing::Acknowledged).count(),
            answers: self.sender.ledger.answers(),
            faults,
            lost: figures.lost,
            doubled: figures.doubled,
            dead_letters: figures.dead_letters,
            restored_days: self.fleet.archivist.restored_days(),
            recoveries: self.recovery.longest.lock().expect("no panic").clone(),
            failures: self.failures.take(),
        }
    }
}

async fn supervise(fleet: Arc<Fleet>, failures: Arc<Failures>, stop: CancellationToken) {
    fleet.supervise(&failures, &stop).await;
}

fn names(round: &Round) -> String {
    let names: Vec<&str> = round.faults.iter().map(|fault| fault.kind.into()).collect();
    names.join(" and ")
}
