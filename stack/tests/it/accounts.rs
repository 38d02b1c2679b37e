//! The account that the servers run as: never root; for an ordinary user, that user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{User, geteuid};
use rollcall_stack::{NatsServer, NatsUser, Postgres, Scratch, Search, Stack};

use crate::owner::Owner;
use crate::wire;

/// The account that a process runs as.
fn account_of(pid: u32) -> u32 {
    if cfg!(target_os = "linux") {
        return fs::metadata(format!("/proc/{pid}")).expect("the process runs").uid();
    }
    let output = Command::new("ps").args(["-o", "uid=", "-p", &pid.to_string()]).output().expect("ps runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a user id")
}

#[test]
fn no_server_runs_as_root() {
    let stack = Stack::ephemeral().expect("the stack starts");

    assert_ne!(account_of(stack.postgres.pid()), 0);
    assert_ne!(account_of(stack.nats.pid()), 0);
}

/// As root the program is run as `nobody`; otherwise it is run as whoever runs the test.
#[test]
fn an_ordinary_user_runs_the_servers_as_itself() {
    let folder = Scratch::make().expect("a temporary folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the folder is ours");
    let mut command = Owner::command();
    let mut user = geteuid().as_raw();
    if geteuid().is_root() {
        let nobody = User::from_name("nobody").expect("accounts can be read").expect("nobody exists");
        user = nobody.uid.as_raw();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        chown(&data, Some(user), Some(nobody.gid.as_raw())).expect("root may");
        // The programs may be in a folder that only root can enter.
        let program = copy_of(Path::new(command.get_program()), folder.path());
        let nats = NatsServer::start(&folder.path().join("nats")).expect("nats-server starts");
        let nats_server = copy_of(nats.program(), folder.path());
        command = Command::new(program);
        command.env("NATS_SERVER", nats_server).current_dir("/").uid(user).gid(nobody.gid.as_raw());
    }

    let owner = Owner::start(command.arg(&data));

    for server in owner.servers() {
        assert_eq!(account_of(server), user);
    }
    owner.stop();
}

/// As root, the servers' account cannot run the program in its folder, so the stack runs a copy. As
/// an ordinary user, it runs the program itself.
#[test]
fn a_nats_server_that_only_root_can_reach_is_run_from_a_copy() {
    let folder = Scratch::make().expect("a temporary folder");
    let found = NatsServer::start(&folder.path().join("first")).expect("nats-server starts").program().to_owned();
    let private = Scratch::make().expect("a temporary folder");
    fs::set_permissions(private.path(), Permissions::from_mode(0o700)).expect("the folder is ours");
    let search = Search { nats_server: Some(copy_of(&found, private.path())), ..Search::default() };

    let nats = NatsServer::start_with(&folder.path().join("second"), &search).expect("nats-server starts");

    assert!(wire::nats(&nats, NatsUser::Api, "").ends_with("PONG\n"));
    assert_eq!(search.nats_server.as_deref() != Some(nats.program()), geteuid().is_root());
}

/// Copies a program with `cp`. If this process wrote the file, a child process that another test
/// forks could still have it open for writing, and the program could then not be run.
fn copy_of(program: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(program.file_name().expect("a program has a name"));
    assert!(Command::new("cp").arg(program).arg(&copy).status().expect("cp runs").success());
    copy
}

/// As root, the servers' account cannot enter the folder, so the stack uses a folder in /var/tmp,
/// always the same one. As an ordinary user, it uses the folder itself.
#[test]
fn a_folder_that_the_servers_cannot_enter_is_replaced_by_one_they_can() {
    let folder = Scratch::make().expect("a temporary folder");
    let data = folder.path().join("closed/data");
    fs::create_dir_all(&data).expect("the folder is ours");
    fs::set_permissions(folder.path().join("closed"), Permissions::from_mode(0o700)).expect("the folder is ours");

    let first = Postgres::start(&data).expect("PostgreSQL starts");
    let used = first.log_path().parent().expect("a log is in a folder").to_owned();
    let url = first.url("rollcall");
    assert!(wire::postgres_asks_for_a_scram_password(first.port()));
    drop(first);
    let again = Postgres::start(&data).expect("PostgreSQL starts again");

    assert_eq!(used.starts_with("/var/tmp"), geteuid().is_root());
    assert_eq!(again.log_path().parent(), Some(used.as_path()));
    assert_eq!(password(&again.url("rollcall")), password(&url));
    drop(again);
    fs::remove_dir_all(used).expect("the folder is ours");
}

fn password(url: &str) -> Option<&str> {
    url.split([':', '@']).nth(2)
}
