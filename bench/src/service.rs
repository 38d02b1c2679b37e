//! The service under test: API and workers as separate processes, with their own queue and database.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::{connect, stream};
use rollcall_stack::{NatsServer, NatsUser};
use rollcall_worker::bulk::Loader;

use crate::client::{Connection, KEY, get, post};
use crate::database::Database;
use crate::program::{Launch, Program};
use crate::wait::wait_until;

/// Timeout of the start of a service.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for storing the events of one request, many times what a slow machine needs.
const STORE_TIMEOUT: Duration = Duration::from_secs(300);
/// Interval between two requests for the worker's counter. Each takes the worker a fraction of a millisecond,
/// so polling costs about one per cent of its time.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Queries with `source=events` may scan all rows, which takes longer than the default timeout.
const READ_TIMEOUT_MS: &str = "600000";

/// A running service.
pub(crate) struct Service {
    // These fields come before the queue, so that the services stop first.
    api: Program,
    /// The workers, and the addresses of their metrics.
    workers: Vec<(Program, SocketAddr)>,
    pub(crate) api_address: SocketAddr,
    pub(crate) database: Database,
    pub(crate) nats: NatsServer,
    home: PathBuf,
}

/// The durations of one request in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// From the first byte of the request to the response.
    pub(crate) accepted_secs: f64,
    /// From the response until every event is stored.
    pub(crate) stored_secs: f64,
}

impl Service {
    /// Starts a service with one worker on a migrated database, with its queue and logs in `folder`.
    pub(crate) async fn start(folder: &Path, database: Database) -> anyhow::Result<Self> {
        let mut service = Self::start_without_workers(folder, database).await?;
        service.add_worker().await?;
        Ok(service)
    }

    /// The same without a worker: what is accepted waits in the queue.
    pub(crate) async fn start_without_workers(folder: &Path, database: Database) -> anyhow::Result<Self> {
        let home = folder.join(format!("service-{}", database.name));
        let queue = home.join("nats");
        std::fs::create_dir_all(&home)?;
        let nats = tokio::task::spawn_blocking(move || NatsServer::start(&queue)).await??;
        stream::ensure_as_admin(&NatsSettings {
            access: NatsAccess::of_url(nats.url(NatsUser::Admin)),
            admin_access: NatsAccess::of_url(nats.url(NatsUser::Admin)),
            events_max_bytes: 4 << 30,
            dlq_max_bytes: 1 << 30,
            stream_replicas: 1,
            ack_wait: Duration::from_secs(60),
        })
        .await?;
        let api_address = free_address()?;
        let mut variables = variables(&database, nats.url(NatsUser::Api));
        variables.push(("API_LISTEN", api_address.to_string()));
        let api = start_program("api", variables, &home, home.join("api.log"))?;
        wait_until_ready(&api, api_address).await?;
        Ok(Self { api, workers: Vec::new(), api_address, database, nats, home })
    }

    /// Starts one more worker.
    pub(crate) async fn add_worker(&mut self) -> anyhow::Result<()> {
        let address = free_address()?;
        let mut variables = variables(&self.database, self.nats.url(NatsUser::Worker));
        variables.push(("WORKER_LISTEN", address.to_string()));
        let log = self.home.join(format!("worker-{}.log", self.workers.len()));
        let worker = start_program("worker", variables, &self.home, log)?;
        wait_until_ready(&worker, address).await?;
        self.workers.push((worker, address));
        Ok(())
    }

    /// Starts one more API with further variables. It ends when the program is dropped.
    pub(crate) async fn further_api(&self, further: &[(&'static str, &str)]) -> anyhow::Result<(Program, SocketAddr)> {
        let address = free_address()?;
        let mut variables = self.api_variables();
        variables.push(("API_LISTEN", address.to_string()));
        variables.extend(further.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let api = start_program("api", variables, &self.home, self.home.join("further-api.log"))?;
        wait_until_ready(&api, address).await?;
        Ok((api, address))
    }

    /// The first worker, and the address of its metrics.
    fn worker(&self) -> anyhow::Result<&(Program, SocketAddr)> {
        self.workers.first().context("the service has no worker")
    }

    /// The environment of the API, for the program that replaces it.
    pub(crate) fn api_variables(&self) -> Vec<(&'static str, String)> {
        variables(&self.database, self.nats.url(NatsUser::Api))
    }

    /// Sends requests one after the other and waits until all their events are stored.
    pub(crate) async fn ingest_all(&self, bodies: &[&[u8]], events: u64) -> anyhow::Result<()> {
        let (mut api, mut worker) = (Connection::open(self.api_address).await?, Connection::open(self.worker()?.1).await?);
        let before = self.stored_total(&mut worker).await?;
        for body in bodies {
            api.expect(202, &post("/events", body)).await?;
        }
        self.wait_until_stored(&mut worker, before + events).await
    }

    /// Sends a request and waits until its events are stored.
    pub(crate) async fn ingest(&self, json: &[u8], events: u64) -> anyhow::Result<Timing> {
        let request = post("/events", json);
        let (mut api, mut worker) = (Connection::open(self.api_address).await?, Connection::open(self.worker()?.1).await?);
        let before = self.stored_total(&mut worker).await?;
        let started = Instant::now();
        api.expect(202, &request).await?;
        let accepted = Instant::now();
        self.wait_until_stored(&mut worker, before + events).await?;
        let stored_secs = accepted.elapsed().as_secs_f64();
        Ok(Timing { accepted_secs: (accepted - started).as_secs_f64(), stored_secs })
    }

    async fn wait_until_stored(&self, worker: &mut Connection, total: u64) -> anyhow::Result<()> {
        wait_until("storing a request", STORE_TIMEOUT, POLL_INTERVAL, async || {
            Ok((self.stored_total(worker).await? >= total).then_some(()))
        })
        .await
        .with_context(|| {
            format!("the worker's log says:\n{}", self.worker().map_or(String::new(), |(worker, _)| worker.log_tail()))
        })
    }

    /// Waits until nothing is left in the queue.
    pub(crate) async fn wait_until_drained(&self) -> anyhow::Result<()> {
        self.wait_until_queued(0, STORE_TIMEOUT).await
    }

    /// Waits until at most this many messages are left in the queue.
    pub(crate) async fn wait_until_queued(&self, messages: u64, timeout: Duration) -> anyhow::Result<()> {
        let client = connect::connect(&NatsAccess::of_url(self.nats.url(NatsUser::Admin)), connect::Role::Admin).await?;
        let context = async_nats::jetstream::new(client);
        wait_until("draining the queue", timeout, Duration::from_millis(50), async || {
            let stream = context.get_stream(stream::STREAM).await?;
            Ok((stream.cached_info().state.messages <= messages).then_some(()))
        })
        .await
    }

    /// Waits until the queue is empty and folds all deltas, instead of waiting for the worker's next
    /// compaction.
    pub(crate) async fn quiet(&self) -> anyhow::Result<()> {
        self.wait_until_drained().await?;
        let loader = Loader::new(self.database.pool.clone());
        wait_until("folding the rollups", STORE_TIMEOUT, Duration::from_millis(50), async || {
            // This does nothing while the worker is folding, so it is repeated until no delta is left.
            loader.compact().await?;
            Ok((!self.database.has_deltas().await?).then_some(()))
        })
        .await
    }

    /// The peak memory of the API, and of the worker with the most, in MiB.
    pub(crate) fn peaks_mib(&self) -> anyhow::Result<(f64, f64)> {
        let workers: Vec<f64> = self.workers.iter().map(|(worker, _)| worker.peak_mib()).collect::<anyhow::Result<_>>()?;
        Ok((self.api.peak_mib()?, workers.into_iter().fold(0.0, f64::max)))
    }

    /// The number of events that the worker has committed. Its counter grows right after the commit.
    async fn stored_total(&self, worker: &mut Connection) -> anyhow::Result<u64> {
        let text = String::from_utf8(worker.expect(200, &get("/metrics")).await?)?;
        let line = text.lines().find_map(|line| line.strip_prefix("rollcall_events_stored_total "));
        // A counter that is not listed counts as zero.
        Ok(line.map_or(Ok(0), str::parse)?)
    }
}

/// Starts API or worker as its own process.
fn start_program(name: &str, variables: Vec<(&'static str, String)>, home: &Path, log: PathBuf) -> anyhow::Result<Program> {
    let program = rollcall_program()?;
    Program::start(Launch { program, arguments: vec![name.into()], variables, folder: home.to_owned(), log })
}

/// The program `rollcall` in the folder of this program. It contains the services as they are shipped.
pub(crate) fn rollcall_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program is unknown")?;
    let program = own.with_file_name("rollcall");
    ensure!(
        program.is_file(),
        "{} is missing; build it with the same profile, or run `make bench`, which does: \
         cargo build --release -p rollcall-cli",
        program.display()
    );
    Ok(program)
}

/// Waits until a service reports that it is ready.
pub(crate) async fn wait_until_ready(program: &Program, address: SocketAddr) -> anyhow::Result<()> {
    wait_until("starting a service", READY_TIMEOUT, Duration::from_millis(50), async || {
        let Ok(mut connection) = Connection::open(address).await else { return Ok(None) };
        let answer = connection.exchange(&get("/health/ready")).await;
        Ok(answer.is_ok_and(|answer| answer.status == 200).then_some(()))
    })
    .await
    .with_context(|| format!("its log says:\n{}", program.log_tail()))
}

/// A free address of 127.0.0.1.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn variables(database: &Database, nats_url: String) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", database.url.clone()),
        ("NATS_URL", nats_url),
        ("MIGRATE_ON_START", "false".to_owned()),
        ("API_KEY", KEY.to_owned()),
        ("READ_TIMEOUT_MS", READ_TIMEOUT_MS.to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
        ("LOG_FORMAT", "text".to_owned()),
    ]
}
