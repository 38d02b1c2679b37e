//! Faults of the servers themselves: killed, stopped, or standing still.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use rollcall_stack::Stack;

use super::fault::{Fault, FaultKind};
use super::fleet::Fleet;

/// Kills, stops or pauses nats-server, and brings it back.
pub(crate) async fn disturb_nats(fleet: &Fleet, fault: Fault) {
    let pid = fleet.with_stack(|stack| stack.nats.pid()).await;
    match fault.kind {
        FaultKind::PauseNats => return pause(&[pid], fault.lasts).await,
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
        FaultKind::PausePostgres => return pause_family(pid, fault.lasts).await,
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

/// Pauses the parent first, so that it makes no more children.
async fn pause_family(parent: u32, lasts: Duration) {
    send(parent, Signal::SIGSTOP);
    let family: Vec<u32> = children(parent).into_iter().chain([parent]).collect();
    pause(&family, lasts).await;
}

async fn pause(processes: &[u32], lasts: Duration) {
    processes.iter().for_each(|pid| send(*pid, Signal::SIGSTOP));
    tokio::time::sleep(lasts).await;
    processes.iter().for_each(|pid| send(*pid, Signal::SIGCONT));
}

fn send(pid: u32, signal: Signal) {
    // It fails only if the process is gone.
    let _ = signal::kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), signal);
}

/// The children of a process, by /proc where there is one.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return children_by_pgrep(parent) };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; state and parent follow.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn children_by_pgrep(parent: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &parent.to_string()]).output().expect("a system without /proc has pgrep");
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect()
}
