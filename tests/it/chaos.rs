//! Short chaos runs: the same faults every time, and every promise kept. `make chaos` runs longer.

use std::time::Duration;

use indicatif::ProgressBar;
use rollcall_stack::Scratch;
use rollcall_tests::chaos::{FaultKind, Plan, run, table};

/// Runs with a few kinds of fault, so that each of them comes in a short time.
async fn assert_promises_are_kept(seed: u64, secs: u64, faults: &[FaultKind]) {
    let folder = Scratch::make().unwrap();
    let plan = Plan { seed, duration: Duration::from_secs(secs), faults: faults.to_vec(), folder: folder.path().to_owned() };
    let report = run(&plan, &ProgressBar::hidden()).await;
    if !report.failures.is_empty() {
        panic!("{}\nthe logs are in {}", table(&[report]), folder.keep().display());
    }
    assert!(report.restored_days > 0, "every run archives, drops and restores days");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_processes_are_killed() {
    use FaultKind::{KillApi, KillNats, KillPostgres, KillWorker, StopApi, StopWorker};
    assert_promises_are_kept(1, 12, &[KillApi, KillNats, KillPostgres, KillWorker, StopApi, StopWorker]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_over_a_bad_network() {
    use FaultKind::{Cut, PauseApi, PauseWorker, Refuse, Slow, Stall};
    assert_promises_are_kept(2, 12, &[Cut, PauseApi, PauseWorker, Refuse, Slow, Stall]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_the_servers_are_in_trouble() {
    use FaultKind::{Consumer, CrashPostgres, Full, Locks, RestartNats, RestartPostgres, Terminate};
    assert_promises_are_kept(3, 12, &[Consumer, CrashPostgres, Full, Locks, RestartNats, RestartPostgres, Terminate]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_by_stalls_longer_than_every_time_limit() {
    use FaultKind::{ClaimIds, LockRows, LockTables, StallPostgres};
    assert_promises_are_kept(4, 30, &[ClaimIds, LockRows, LockTables, StallPostgres]).await;
}
