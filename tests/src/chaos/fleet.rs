//! The fleet: both servers, all services as processes, and a bad network between them.
//!
//! Each service reaches NATS and PostgreSQL over proxies of its own, and clients reach each API
//! over one. The harness itself goes around them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::queue::connect;
use rollcall_shared::queue::connect::Role;
use rollcall_stack::{NatsUser, Stack};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::archivist::Archivist;
use super::check::Check;
use super::failure::{Failure, Failures};
use super::journal::Journal;
use super::proxy::{Network, Proxy};
use crate::{KEY, Process, binary, free_port};

/// Unacknowledged messages of a dead worker come back after this: soon, as runs are short.
const ACK_WAIT_MS: &str = "5000";
/// What is refused becomes a dead letter three seconds later, while there still are faults.
const RETRY_DELAY_MS: &str = "100";
/// PostgreSQL is a little away, as it mostly is: then a worker spends its time in transactions, and a
/// fault at any moment meets one.
const DISTANCE: Network = Network::Slow { latency_ms: 1, bytes_per_sec: 64 << 20 };
/// What a service waits for in PostgreSQL, in milliseconds: shorter than it would be, so that faults
/// can last longer. The server's limits come first and the client's last, as they do by default.
const LIMITS_MS: [(&str, u64); 5] = [
    ("DATABASE_LOCK_TIMEOUT_MS", 1_000),
    ("DATABASE_STATEMENT_TIMEOUT_MS", 2_500),
    ("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", 2_500),
    ("DATABASE_REPLY_TIMEOUT_MS", LONGEST_LIMIT_MS),
    ("DATABASE_ACQUIRE_TIMEOUT_MS", 2_000),
];
/// The longest of these limits, in milliseconds.
pub(crate) const LONGEST_LIMIT_MS: u64 = 3_000;
/// PostgreSQL connections of one service.
pub(crate) const POOL_SIZE: i64 = 4;

/// One service and its paths to the rest of the world.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) process: tokio::sync::Mutex<Process>,
    paths: Vec<Arc<Proxy>>,
    /// Where it serves, around the proxies.
    url: String,
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Declared first, to end before the servers do.
    pub(crate) apis: Vec<Service>,
    pub(crate) workers: Vec<Service>,
    pub(crate) archivist: Arc<Archivist>,
    /// The database, around the proxies.
    pub(crate) pool: PgPool,
    /// The URL of the same.
    pub(crate) database_url: String,
    nats_admin: NatsAccess,
    migration: Vec<(&'static str, String)>,
    folder: PathBuf,
    pub(crate) journal: Journal,
    stack: Arc<Mutex<Stack>>,
}

impl Fleet {
    /// Starts servers and services, and waits until all are ready. Logs go to `folder`.
    pub(crate) async fn start(apis: usize, workers: usize, folder: &Path) -> Self {
        let stack = tokio::task::spawn_blocking(Stack::ephemeral).await.expect("no panic").expect("the servers start");
        let database_url = stack.postgres.url("rollcall");
        let to_postgres = Proxy::start("archivist to PostgreSQL".to_owned(), stack.postgres.port(), DISTANCE).await;
        let over_path = over(&database_url, stack.postgres.port(), &to_postgres);
        let mut fleet = Self {
            apis: Vec::new(),
            workers: Vec::new(),
            archivist: Arc::new(Archivist::new(to_postgres, over_path, folder)),
            pool: pool(&database_url),
            database_url: database_url.clone(),
            nats_admin: NatsAccess::of_url(stack.nats.url(NatsUser::Admin)),
            migration: vec![
                ("DATABASE_URL", database_url),
                ("NATS_URL", stack.nats.url(NatsUser::Admin)),
                ("NATS_ADMIN_URL", stack.nats.url(NatsUser::Admin)),
                ("ACK_WAIT_MS", ACK_WAIT_MS.to_owned()),
            ],
            folder: folder.to_owned(),
            journal: Journal::open(folder),
            stack: Arc::new(Mutex::new(stack)),
        };
        assert!(fleet.migrate().await, "rollcall migrate failed; see {}", folder.display());
        for number in 0..apis {
            let service = fleet.service("api", number).await;
            fleet.apis.push(service);
        }
        for number in 0..workers {
            let service = fleet.service("worker", number).await;
            fleet.workers.push(service);
        }
        fleet.wait_until_ready().await.expect("all services become ready");
        fleet
    }

    /// Runs `rollcall migrate`; returns whether it succeeded.
    pub(crate) async fn migrate(&self) -> bool {
        let path = self.folder.join("migrate.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log can be written");
        let mut command = tokio::process::Command::new(binary("rollcall"));
        command.arg("migrate").env_clear().envs(self.migration.iter().cloned()).current_dir(&self.folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log can be shared")).stderr(log);
        let done = tokio::time::timeout(crate::WAIT_TIMEOUT, command.status()).await;
        done.is_ok_and(|status| status.expect("rollcall can be run").success())
    }

    /// Does something to the servers, on a thread that may block.
    pub(crate) async fn with_stack<T: Send + 'static>(&self, work: impl FnOnce(&mut Stack) -> T + Send + 'static) -> T {
        let stack = self.stack.clone();
        let work = move || work(&mut stack.lock().expect("no panic"));
        tokio::task::spawn_blocking(work).await.expect("no panic")
    }

    /// JetStream as the user who may do everything, over a connection of its own.
    pub(crate) async fn jetstream(&self) -> Option<Context> {
        connect::connect(&self.nats_admin, Role::Admin).await.ok().map(jetstream::new)
    }

    /// Every path between two processes.
    pub(crate) fn paths(&self) -> Vec<Arc<Proxy>> {
        let of_services = self.services().flat_map(|service| service.paths.iter().cloned());
        of_services.chain([self.archivist.path.clone()]).collect()
    }

    /// Where clients find the APIs.
    pub(crate) fn front_ports(&self) -> Vec<u16> {
        self.apis.iter().filter_map(|api| api.paths.last()).map(|path| path.port()).collect()
    }

    /// All services.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.apis.iter().chain(&self.workers)
    }

    /// Makes the network good again, and waits until every service says that it is ready.
    ///
    /// # Errors
    /// Only if one does not.
    pub(crate) async fn wait_until_ready(&self) -> Result<(), Failure> {
        self.paths().iter().for_each(|path| path.restore());
        // The default would be a connection that a killed service has left behind.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).pool_max_idle_per_host(0).build();
        let http = http.expect("a client");
        for service in self.services() {
            let url = format!("{}/health/ready", service.url);
            let began = Instant::now();
            loop {
                let answer = http.get(&url).send().await;
                if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                if began.elapsed() > crate::WAIT_TIMEOUT {
                    let name = &service.process.lock().await.name;
                    return Err(Failure::new(Check::Recovered, format!("{name} is not ready: {answer:?}")));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Asks every service to stop, all at once.
    pub(crate) async fn stop(&self, failures: &Failures) {
        let stops = self.services().map(async |service| service.process.lock().await.stop().await);
        for stopped in futures::future::join_all(stops).await {
            if let Err(detail) = stopped {
                failures.add(Failure::new(Check::CleanStops, detail));
            }
        }
    }

    /// Starts again whatever ends by itself, and writes down that it did.
    pub(crate) async fn supervise(&self, failures: &Failures, stop: &CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !stop.is_cancelled() {
            tick.tick().await;
            for service in self.services() {
                // Whoever holds the lock is doing something to the process.
                let Ok(mut process) = service.process.try_lock() else { continue };
                if let Some(status) = process.ended() {
                    failures.add(Failure::new(Check::NoExit, format!("{} ended with {status}; see its log", process.name)));
                    process.start();
                }
            }
        }
    }

    /// Copies the servers' logs to the folder of the run.
    pub(crate) async fn keep_server_logs(&self) {
        let folder = self.folder.clone();
        self.with_stack(move |stack| {
            for (log, name) in [(stack.postgres.log_path(), "postgres.log"), (stack.nats.log_path(), "nats-server.log")] {
                std::fs::copy(log, folder.join(name)).expect("a log can be copied");
            }
        })
        .await;
    }

    async fn service(&self, kind: &'static str, number: usize) -> Service {
        let name = format!("{kind}-{number}");
        let user = if kind == "api" { NatsUser::Api } else { NatsUser::Worker };
        let (nats, postgres, nats_url, database_url) = self
            .with_stack(move |stack| {
                (stack.nats.port(), stack.postgres.port(), stack.nats.url(user), stack.postgres.url("rollcall"))
            })
            .await;
        let port = free_port();
        let to_nats = Proxy::start(format!("{name} to NATS"), nats, Network::Open).await;
        let to_postgres = Proxy::start(format!("{name} to PostgreSQL"), postgres, DISTANCE).await;
        let mut environment = vec![
            ("NATS_URL", over(&nats_url, nats, &to_nats)),
            ("DATABASE_URL", over(&database_url, postgres, &to_postgres)),
            ("DATABASE_MAX_CONNECTIONS", POOL_SIZE.to_string()),
            (if kind == "api" { "API_LISTEN" } else { "WORKER_LISTEN" }, format!("127.0.0.1:{port}")),
            ("API_KEY", KEY.to_owned()),
            ("MIGRATE_ON_START", "false".to_owned()),
            ("COMPACT_INTERVAL_MS", "100".to_owned()),
            ("ACK_WAIT_MS", ACK_WAIT_MS.to_owned()),
            ("RETRY_DELAY_MS", RETRY_DELAY_MS.to_owned()),
            // The slow way of answering reads every row that a long run has stored.
            ("READ_TIMEOUT_MS", "600000".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
        ];
        environment.extend(LIMITS_MS.map(|(name, limit_ms)| (name, limit_ms.to_string())));
        let mut process = Process::new(name.clone(), binary(kind), environment, self.folder.clone());
        process.start();
        let mut paths = vec![Arc::new(to_nats), Arc::new(to_postgres)];
        if kind == "api" {
            paths.push(Arc::new(Proxy::start(format!("clients to {name}"), port, Network::Open).await));
        }
        Service { process: tokio::sync::Mutex::new(process), paths, url: format!("http://127.0.0.1:{port}") }
    }
}

/// The same URL, over the proxy.
fn over(url: &str, port: u16, proxy: &Proxy) -> String {
    url.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", proxy.port()))
}

fn pool(url: &str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(20));
    options.connect_lazy(url).expect("a valid URL")
}
