//! What must not start, and which error the developer sees.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rollcall_stack::{NatsServer, Postgres, Scratch, Search, StackError};

#[test]
fn a_folder_in_use_is_refused_by_name_of_its_holder() {
    let folder = Scratch::make().expect("a temporary folder");
    let _first = NatsServer::start(folder.path()).expect("nats-server starts");

    let second = NatsServer::start(folder.path()).expect_err("the folder is in use");

    let StackError::FolderInUse { holder, .. } = second else { panic!("{second}") };
    assert_eq!(holder, std::process::id().to_string());
}

#[test]
fn a_postgres_folder_in_use_is_refused() {
    let folder = Scratch::make().expect("a temporary folder");
    let first = Postgres::start(folder.path()).expect("PostgreSQL starts");

    let second = Postgres::start(folder.path()).expect_err("the folder is in use");
    assert!(matches!(second, StackError::FolderInUse { .. }), "{second}");
    drop(first);

    Postgres::start(folder.path()).expect("the folder is free again");
}

/// Has a shell write a program that prints one line. If this process wrote the file, a child
/// process that another test forks could still have it open for writing, and the program could then
/// not be run.
fn program_that_says(folder: &Path, line: &str) -> PathBuf {
    let program = folder.join("nats-server");
    let write = "printf '#!/bin/sh\\necho \"%s\"\\n' \"$2\" >\"$1\" && chmod +x \"$1\"";
    let status = Command::new("sh").args(["-c", write, "sh"]).arg(&program).arg(line).status();
    assert!(status.expect("sh runs").success());
    program
}

#[test]
fn a_nats_server_without_sync_interval_is_refused_with_the_reason_and_the_remedy() {
    let folder = Scratch::make().expect("a temporary folder");
    let old = program_that_says(folder.path(), "nats-server: v2.9.10");
    let search = Search { nats_server: Some(old), ..Search::default() };

    let refused = NatsServer::start_with(folder.path(), &search).expect_err("it is too old");

    assert!(matches!(&refused, StackError::NatsTooOld { version, .. } if version == "v2.9.10"), "{refused}");
    let message = refused.to_string();
    assert!(message.contains("sync_interval") && message.contains("make prepare"), "{message}");
}

#[test]
fn a_newer_nats_server_further_on_is_preferred_to_an_old_one() {
    let folder = Scratch::make().expect("a temporary folder");
    program_that_says(folder.path(), "nats-server: v2.9.10");
    let mut search = Search::from_env();
    // The old one comes first, and the one that was named is now just one of those on the path.
    let named = search.nats_server.take().and_then(|program| program.parent().map(Path::to_owned));
    search.path.splice(0..0, [folder.path().to_owned()].into_iter().chain(named));

    NatsServer::start_with(&folder.path().join("data"), &search).expect("the newer one starts");
}

#[test]
fn missing_programs_are_named() {
    let folder = Scratch::make().expect("a temporary folder");
    let nowhere = Search { tools_from: folder.path().to_owned(), ..Search::default() };

    let refused = NatsServer::start_with(folder.path(), &nowhere).expect_err("there is none");

    assert!(matches!(refused, StackError::NatsMissing), "{refused}");
    assert!(refused.to_string().contains("make prepare"));
}

#[test]
fn a_server_that_cannot_start_is_reported_with_the_end_of_its_log() {
    let folder = Scratch::make().expect("a temporary folder");
    Postgres::start(folder.path()).expect("PostgreSQL starts").stop();
    fs::write(folder.path().join("data/postgresql.conf"), "no_such_setting = 1\n").expect("the folder is ours");

    let failed = Postgres::start(folder.path()).expect_err("the setting is unknown");

    assert!(matches!(&failed, StackError::Exited { tail, .. } if tail.contains("no_such_setting")), "{failed}");
}

#[test]
fn a_database_of_a_postgres_that_is_not_installed_is_left_alone() {
    let folder = Scratch::make().expect("a temporary folder");
    fs::create_dir(folder.path().join("data")).expect("the folder is ours");
    fs::write(folder.path().join("data/PG_VERSION"), "9\n").expect("the folder is ours");

    let refused = Postgres::start(folder.path()).expect_err("nobody has PostgreSQL 9");

    assert!(matches!(refused, StackError::PostgresMajorMissing { major: 9, .. }), "{refused}");
    assert_eq!(fs::read_to_string(folder.path().join("data/PG_VERSION")).expect("it is left"), "9\n");
}
