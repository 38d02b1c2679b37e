//! Start, connect, kill, restart, stop.

use std::path::Path;

use rollcall_stack::{NatsServer, NatsUser, Postgres, Scratch, Stack};

use crate::owner::Owner;
use crate::process::{is_running, wait_until};
use crate::wire;

#[test]
fn an_ephemeral_stack_serves_and_leaves_nothing_behind() {
    let stack = Stack::ephemeral().expect("the stack starts");
    let pids = [stack.postgres.pid(), stack.nats.pid()];
    let ports = [stack.postgres.port(), stack.nats.port()];
    let log = stack.postgres.log_path().to_owned();

    assert!(wire::postgres_asks_for_a_scram_password(ports[0]));
    assert!(wire::nats(&stack.nats, NatsUser::Api, "").ends_with("PONG\n"));
    assert!(log.exists());
    stack.stop();

    assert!(!pids.iter().any(|pid| is_running(*pid)));
    assert!(ports.iter().all(|port| wire::is_closed(*port)));
    assert!(!log.exists());
    assert!(!folder_of(&log).exists());
}

/// `<data>` of `<data>/postgres/postgres.log`.
fn folder_of(log: &Path) -> &Path {
    log.ancestors().nth(2).expect("the log is two folders down")
}

#[test]
fn psql_logs_in_with_the_url_if_it_is_installed() {
    let folder = Scratch::make().expect("a temporary folder");
    let postgres = Postgres::start(folder.path()).expect("PostgreSQL starts");

    let psql = std::process::Command::new("psql")
        .args([
            &postgres.url("rollcall"),
            "-Atc",
            "select current_user, current_setting('fsync'), current_setting('synchronous_commit')",
        ])
        .output();

    match psql {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "rollcall|on|on\n"),
        Err(_) => assert!(wire::postgres_asks_for_a_scram_password(postgres.port())),
    }
}

#[test]
fn a_killed_postgres_restarts_on_its_port() {
    let folder = Scratch::make().expect("a temporary folder");
    let mut postgres = Postgres::start(folder.path()).expect("PostgreSQL starts");
    let (first_pid, url) = (postgres.pid(), postgres.url("rollcall"));

    postgres.kill();
    assert!(!postgres.is_running());
    postgres.restart().expect("PostgreSQL restarts");

    assert_ne!(postgres.pid(), first_pid);
    assert_eq!(postgres.url("rollcall"), url);
    assert!(wire::postgres_asks_for_a_scram_password(postgres.port()));
}

#[test]
fn a_stopped_postgres_restarts_and_stops_again() {
    let folder = Scratch::make().expect("a temporary folder");
    let mut postgres = Postgres::start(folder.path()).expect("PostgreSQL starts");

    postgres.stop();
    postgres.restart().expect("PostgreSQL restarts");
    assert!(wire::postgres_asks_for_a_scram_password(postgres.port()));
    postgres.stop();

    assert!(!is_running(postgres.pid()));
}

#[test]
fn a_killed_nats_server_restarts_on_its_ports_with_its_streams() {
    let folder = Scratch::make().expect("a temporary folder");
    let mut nats = NatsServer::start(folder.path()).expect("nats-server starts");
    let urls = (nats.url(NatsUser::Admin), nats.monitor_url());
    let config = r#"{"name":"EVENTS","subjects":["events.ingest.>"]}"#;
    let create = format!("PUB $JS.API.STREAM.CREATE.EVENTS {}\r\n{config}\r\n", config.len());
    wire::nats(&nats, NatsUser::Admin, &create);
    wait_until("the stream is made", || wire::monitor(&nats, "/jsz?streams=true").contains("\"EVENTS\""));

    nats.kill();
    assert!(!nats.is_running());
    nats.restart().expect("nats-server restarts");

    assert_eq!((nats.url(NatsUser::Admin), nats.monitor_url()), urls);
    wait_until("the stream is back", || wire::monitor(&nats, "/jsz?streams=true").contains("\"EVENTS\""));
}

#[test]
fn nats_syncs_before_it_acknowledges() {
    let folder = Scratch::make().expect("a temporary folder");
    let nats = NatsServer::start(folder.path()).expect("nats-server starts");

    let jetstream = wire::monitor(&nats, "/jsz?config=true");

    assert!(jetstream.contains("\"sync_always\": true"), "{jetstream}");
}

#[test]
fn a_nats_user_may_do_its_own_work_only() {
    let folder = Scratch::make().expect("a temporary folder");
    let nats = NatsServer::start(folder.path()).expect("nats-server starts");
    let refused =
        |user, subject: &str| wire::nats(&nats, user, &format!("PUB {subject} 0\r\n\r\n")).contains("Permissions Violation");

    for subject in ["events.ingest.1", "events.bulk.1.1", "$JS.API.STREAM.INFO.EVENTS"] {
        assert!(!refused(NatsUser::Api, subject), "{subject}");
    }
    for subject in ["events.dlq.1", "$JS.API.STREAM.DELETE.EVENTS", "$JS.ACK.EVENTS.workers.1.1.1.1.1"] {
        assert!(refused(NatsUser::Api, subject), "{subject}");
    }
    for subject in [
        "events.dlq.1",
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.workers",
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.bulk-0",
        "$JS.ACK.EVENTS.workers.1.1.1.1.1",
        "$JS.ACK.EVENTS.bulk-0.1.1.1.1.1",
    ] {
        assert!(!refused(NatsUser::Worker, subject), "{subject}");
    }
    for subject in ["events.ingest.1", "events.bulk.1.1", "$JS.API.STREAM.PURGE.EVENTS", "$JS.API.CONSUMER.CREATE.EVENTS"] {
        assert!(refused(NatsUser::Worker, subject), "{subject}");
    }
    assert!(!refused(NatsUser::Admin, "$JS.API.STREAM.CREATE.EVENTS"));
    let wrong = wire::nats_with_password(&nats, NatsUser::Admin, "guess", "");
    assert!(wrong.contains("Authorization Violation"), "{wrong}");
}

#[test]
fn a_path_with_spaces_and_quotes_is_a_data_folder() {
    let folder = Scratch::make().expect("a temporary folder");
    let stack = Stack::start(&folder.path().join("1 \"folder\" of mine")).expect("the stack starts");

    assert!(wire::postgres_asks_for_a_scram_password(stack.postgres.port()));
    assert!(wire::nats(&stack.nats, NatsUser::Api, "").ends_with("PONG\n"));
}

#[test]
fn the_program_stops_its_servers_when_its_input_ends() {
    let folder = Scratch::make().expect("a temporary folder");
    let owner = Owner::start(Owner::command().arg(folder.path()));
    let servers = owner.servers();
    assert!(servers.iter().all(|pid| is_running(*pid)));

    owner.stop();

    assert!(!servers.iter().any(|pid| is_running(*pid)));
}
