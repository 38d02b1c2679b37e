//! Faults of the servers themselves: killed, stopped, or standing still.

use std::time::Duration;

use nix::sys::signal::Signal;
use rollcall_stack::Stack;

use super::fault::{Fault, FaultKind};
use super::fleet::Fleet;
use crate::pause::{Pause, send};

/// Kills, stops or pauses nats-server, and brings it back.
pub(crate) async fn disturb_nats(fleet: &Fleet, fault: Fault) {
    let pid = fleet.with_stack(|stack| stack.nats.pid()).await;
    match fault.kind {
        FaultKind::PauseNats => return pause(pid, fault.lasts).await,
        FaultKind::KillNats => fleet.with_stack(|stack| stack.nats.kill()).await,
        _ => fleet.with_stack(|stack| stack.nats.stop()).await,
    }
    tokio::time::sleep(fault.lasts).await;
    fleet.with_stack(|stack| stack.nats.restart().expect("nats-server starts again")).await;
}

/// Kills, stops or pauses PostgreSQL, and brings it back.
pub(crate) async fn disturb_postgres(fleet: &Fleet, fault: Fault) {
    let pid = fleet.with_stack(|stack| stack.postgres.pid()).await;
    match fault.kind {
        FaultKind::PausePostgres => return pause(pid, fault.lasts).await,
        FaultKind::StallPostgres => {
            pause(pid, fault.lasts).await;
            tokio::time::sleep(fault.pause()).await;
            return pause(pid, fault.lasts).await;
        }
        FaultKind::KillPostgres => fleet.with_stack(|stack| stack.postgres.kill()).await,
        FaultKind::CrashPostgres => fleet.with_stack(crash).await,
        _ => fleet.with_stack(|stack| stack.postgres.stop()).await,
    }
    tokio::time::sleep(fault.lasts).await;
    fleet.with_stack(|stack| stack.postgres.restart().expect("PostgreSQL starts again")).await;
}

/// Stops PostgreSQL without a checkpoint; its children are gone when it is.
fn crash(stack: &mut Stack) {
    send(stack.postgres.pid(), Signal::SIGQUIT);
    while stack.postgres.is_running() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Holds a server and all its processes up for a while.
async fn pause(parent: u32, lasts: Duration) {
    let _paused = Pause::of(parent);
    tokio::time::sleep(lasts).await;
}
