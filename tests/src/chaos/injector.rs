//! The injector: does one fault to the fleet, and undoes it.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use rollcall_shared::queue::stream::{DLQ_STREAM, STREAM};

use super::check::Check;
use super::client::Sender;
use super::failure::{Failure, Failures};
use super::fault::{Area, Fault, FaultKind};
use super::fleet::{Fleet, Service};
use super::proxy::{Network, Proxy};
use super::{consumer, locks, servers, stranger, stream};

/// Room that a full stream of accepted events has: none, or that of a few small requests.
const SPARE_BYTES: [i64; 2] = [0, 16 * 1024];
/// Time between two cuts of one path.
const CUTS_EVERY: Duration = Duration::from_millis(250);

/// Does the fault and returns when it is over: everything runs again, and the network is good.
pub(crate) async fn inject(fleet: &Fleet, sender: &Sender, fault: Fault) {
    tokio::time::sleep(fault.after).await;
    fleet.journal.note(&format!("{} begins: {}", fault.kind, target(fleet, fault)));
    carry_out(fleet, sender, fault).await;
    fleet.journal.note(&format!("{} is over", fault.kind));
}

/// Which process, path or variant it is about.
fn target(fleet: &Fleet, fault: Fault) -> String {
    match fault.kind.area() {
        Area::Network => {
            let paths = fleet.paths();
            paths[fault.draw % paths.len()].name.clone()
        }
        Area::Api => format!("api-{}", fault.draw % fleet.apis.len()),
        Area::Worker => format!("worker-{}", fault.draw % fleet.workers.len()),
        _ => format!("draw {}", fault.draw),
    }
}

async fn carry_out(fleet: &Fleet, sender: &Sender, fault: Fault) {
    let failures = &*sender.failures;
    let api = &fleet.apis[fault.draw % fleet.apis.len()];
    let worker = &fleet.workers[fault.draw % fleet.workers.len()];
    match fault.kind {
        FaultKind::KillApi => kill(api, fault.lasts).await,
        FaultKind::KillWorker => kill(worker, fault.lasts).await,
        FaultKind::PauseApi => pause(api, fault.lasts).await,
        FaultKind::PauseWorker => pause(worker, fault.lasts).await,
        FaultKind::StopApi => stop(api, fault.lasts, failures).await,
        FaultKind::StopWorker => stop(worker, fault.lasts, failures).await,
        FaultKind::KillNats | FaultKind::RestartNats | FaultKind::PauseNats => servers::disturb_nats(fleet, fault).await,
        FaultKind::KillPostgres
        | FaultKind::RestartPostgres
        | FaultKind::CrashPostgres
        | FaultKind::PausePostgres
        | FaultKind::StallPostgres => servers::disturb_postgres(fleet, fault).await,
        FaultKind::Cut | FaultKind::Refuse | FaultKind::Stall | FaultKind::Slow => disturb_network(fleet, fault).await,
        FaultKind::Full => stream::fill(fleet, STREAM, SPARE_BYTES[fault.draw % 2], fault).await,
        FaultKind::FullLetters => stream::fill(fleet, DLQ_STREAM, 0, fault).await,
        FaultKind::Locks => locks::hold(fleet, fault).await,
        FaultKind::Terminate => locks::terminate(fleet, fault).await,
        FaultKind::LockTables => stranger::lock_tables(fleet, fault).await,
        FaultKind::LockRows => stranger::lock_rows(fleet, fault).await,
        FaultKind::ClaimIds => stranger::claim_ids(fleet, sender, fault).await,
        FaultKind::Consumer => consumer::delete(fleet, fault, failures).await,
    }
}

async fn kill(service: &Service, lasts: Duration) {
    let mut process = service.process.lock().await;
    process.kill();
    tokio::time::sleep(lasts).await;
    process.start();
}

async fn pause(service: &Service, lasts: Duration) {
    let process = service.process.lock().await;
    process.signal(Signal::SIGSTOP);
    tokio::time::sleep(lasts).await;
    process.signal(Signal::SIGCONT);
}

async fn stop(service: &Service, lasts: Duration, failures: &Failures) {
    let mut process = service.process.lock().await;
    if let Err(detail) = process.stop().await {
        failures.add(Failure::new(Check::CleanStops, detail));
    }
    tokio::time::sleep(lasts).await;
    process.start();
}

async fn disturb_network(fleet: &Fleet, fault: Fault) {
    let paths = fleet.paths();
    let path: &Arc<Proxy> = &paths[fault.draw % paths.len()];
    match fault.kind {
        FaultKind::Cut => {
            let cuts = fault.lasts.as_millis() / CUTS_EVERY.as_millis() + 1;
            for _ in 0..cuts {
                path.cut();
                tokio::time::sleep(CUTS_EVERY).await;
            }
        }
        FaultKind::Refuse => {
            path.set(Network::Refused);
            path.cut();
        }
        FaultKind::Stall => path.set(Network::Stalled),
        _ => {
            let draw = fault.draw as u64;
            path.set(Network::Slow { latency_ms: 10 + draw % 190, bytes_per_sec: (16 + draw % 240) << 10 });
        }
    }
    if fault.kind != FaultKind::Cut {
        tokio::time::sleep(fault.lasts).await;
        path.restore();
    }
}
