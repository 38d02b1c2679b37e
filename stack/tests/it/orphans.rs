//! What happens when the process that started the servers is killed.

use std::fs;

use rollcall_stack::{NatsServer, Postgres, Scratch, Stack};

use crate::owner::Owner;
use crate::process::{is_running, kill_nine, wait_until};
use crate::wire;

#[test]
fn kill_nine_of_their_owner_stops_the_servers_and_the_folder_starts_again() {
    let folder = Scratch::make().expect("a temporary folder");
    let owner = Owner::start(Owner::command().arg(folder.path()));
    let servers = owner.servers();

    kill_nine(owner.pid());

    wait_until("the guardians stop the servers", || !servers.iter().any(|pid| is_running(*pid)));
    Stack::start(folder.path()).expect("the stack starts again").stop();
}

#[test]
fn a_start_takes_over_from_guardians_that_are_still_at_work() {
    let folder = Scratch::make().expect("a temporary folder");
    let owner = Owner::start(Owner::command().arg(folder.path()));
    let servers = owner.servers();

    kill_nine(owner.pid());
    drop(owner);
    let stack = Stack::start(folder.path()).expect("the stack starts again");

    assert!(!servers.iter().any(|pid| is_running(*pid)));
    assert!(wire::postgres_asks_for_a_scram_password(stack.postgres.port()));
}

#[cfg(target_os = "linux")]
fn kill_guardians(owner: &Owner) {
    let servers = owner.servers();
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", owner.pid())).expect("it runs");
    for child in children.split_whitespace().map(|pid| pid.parse().expect("a process id")) {
        if !servers.contains(&child) {
            kill_nine(child);
        }
    }
}

/// Needs `/proc` to tell a guardian from other processes.
#[cfg(target_os = "linux")]
#[test]
fn a_start_stops_the_orphans_of_a_run_whose_guardians_were_killed_too() {
    let folder = Scratch::make().expect("a temporary folder");
    let owner = Owner::start(Owner::command().arg(folder.path()));
    let servers = owner.servers();
    kill_guardians(&owner);
    kill_nine(owner.pid());
    drop(owner);
    assert!(servers.iter().all(|pid| is_running(*pid)));

    let stack = Stack::start(folder.path()).expect("the stack starts again");

    assert!(!servers.iter().any(|pid| is_running(*pid)));
    assert!(wire::postgres_asks_for_a_scram_password(stack.postgres.port()));
}

#[test]
fn a_pid_file_that_names_a_stranger_neither_harms_it_nor_hinders_the_start() {
    let folder = Scratch::make().expect("a temporary folder");
    Postgres::start(folder.path()).expect("PostgreSQL starts").stop();
    // The id of this process stands for one that the system gave to an unrelated process.
    let stranger = std::process::id();
    fs::write(folder.path().join("pid"), format!("{stranger}\n")).expect("the folder is ours");
    let postmaster_pid = format!("{stranger}\n{}\n0\n1\n\n127.0.0.1\n0 0\nready\n", folder.path().join("data").display());
    fs::write(folder.path().join("data/postmaster.pid"), postmaster_pid).expect("the folder is ours");

    let postgres = Postgres::start(folder.path()).expect("PostgreSQL starts again");

    assert!(wire::postgres_asks_for_a_scram_password(postgres.port()));
}

#[test]
fn a_half_made_database_is_made_anew() {
    let folder = Scratch::make().expect("a temporary folder");
    fs::create_dir(folder.path().join("data.unfinished")).expect("the folder is ours");
    fs::write(folder.path().join("data.unfinished/PG_VERSION"), "15\n").expect("the folder is ours");

    let postgres = Postgres::start(folder.path()).expect("PostgreSQL starts");

    assert!(wire::postgres_asks_for_a_scram_password(postgres.port()));
}

#[test]
fn a_dropped_server_is_gone_when_drop_returns() {
    let folder = Scratch::make().expect("a temporary folder");
    let nats = NatsServer::start(folder.path()).expect("nats-server starts");
    let pid = nats.pid();

    drop(nats);

    assert!(!is_running(pid));
}

/// A stack without a folder of its own. Its temporary one is made in this folder, which no other test sweeps.
fn ephemeral_owner(base: &Scratch) -> Owner {
    let owner = Owner::start(Owner::command().env("TMPDIR", base.path()));
    assert!(owner.folder().starts_with(base.path()) && owner.folder().join("postgres/data").exists());
    owner
}

#[test]
fn a_temporary_folder_is_removed_when_its_owner_is_killed() {
    let base = Scratch::make().expect("a temporary folder");
    let owner = ephemeral_owner(&base);
    let (servers, folder) = (owner.servers(), owner.folder());

    kill_nine(owner.pid());

    wait_until("the folder is gone", || !folder.exists());
    assert!(!servers.iter().any(|pid| is_running(*pid)));
}

/// Needs `/proc` to tell a guardian from other processes.
#[cfg(target_os = "linux")]
#[test]
fn a_start_removes_the_temporary_folder_of_a_run_whose_guardians_were_killed_too() {
    let base = Scratch::make().expect("a temporary folder");
    let owner = ephemeral_owner(&base);
    let (servers, folder) = (owner.servers(), owner.folder());
    kill_guardians(&owner);
    kill_nine(owner.pid());
    drop(owner);
    assert!(folder.exists());

    let next = ephemeral_owner(&base);

    assert!(!folder.exists());
    assert!(!servers.iter().any(|pid| is_running(*pid)));
    next.stop();
}
