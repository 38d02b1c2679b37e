//! The plain Python service of `bench/reference`, with its own queue and database.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rollcall_stack::Stack;
use uuid::Uuid;

use crate::batch::Batch;
use crate::client::{Connection, KEY, post};
use crate::database::Database;
use crate::program::{Launch, Program};
use crate::service::{Timing, free_address};
use crate::wait::wait_until;

const SERVICE: &str = include_str!("../../reference/service.py");
const NATS_CONFIGURATION: &str = include_str!("../../reference/nats-server.conf");

const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout for storing one request, which takes this service minutes on a slow machine.
const STORE_TIMEOUT: Duration = Duration::from_secs(1800);
/// Interval between two checks whether the last event is stored, much shorter than the measured times.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The running service.
pub(crate) struct Reference {
    // The fields stop in this order.
    _api: Program,
    _worker: Program,
    _nats: Program,
    address: SocketAddr,
    database: Database,
}

impl Reference {
    /// Starts the service with a Python that has the packages of `requirements.txt`.
    pub(crate) async fn start(stack: &Stack, python: &Path) -> anyhow::Result<Self> {
        let python = std::path::absolute(python)?;
        let folder = stack.folder().join("reference");
        std::fs::create_dir_all(&folder)?;
        for (name, content) in [("service.py", SERVICE), ("nats-server.conf", NATS_CONFIGURATION)] {
            std::fs::write(folder.join(name), content)?;
        }
        let database = Database::create(&stack.postgres, "reference").await?;
        let (nats_address, address) = (free_address()?, free_address()?);
        let start = |name: &str, program: &Path, arguments: &[&str]| {
            Program::start(Launch {
                program: program.to_owned(),
                arguments: arguments.iter().map(Into::into).collect(),
                variables: vec![
                    ("DATABASE_URL", database.url.replacen("postgres://", "postgresql+psycopg2://", 1)),
                    ("NATS_URL", format!("nats://{nats_address}")),
                    ("API_KEY", KEY.to_owned()),
                ],
                folder: folder.clone(),
                log: folder.join(format!("{name}.log")),
            })
        };
        let [nats_port, port] = [nats_address, address].map(|address| address.port().to_string());
        let nats = start("nats", stack.nats.program(), &["-c", "nats-server.conf", "-a", "127.0.0.1", "-p", &nats_port])?;
        wait_until_open(&nats, nats_address).await?;
        let worker = start("worker", &python, &["service.py", "worker"])?;
        let api = start("api", &python, &["-m", "uvicorn", "service:app", "--log-level", "warning", "--port", &port])?;
        wait_until_open(&api, address).await?;
        let this = Self { _api: api, _worker: worker, _nats: nats, address, database };
        this.warm_up().await?;
        Ok(this)
    }

    /// Sends a request and waits until its last event is stored. The worker commits all events of a request
    /// together.
    pub(crate) async fn ingest(&self, batch: &Batch) -> anyhow::Result<Timing> {
        let request = post("/events", &batch.json);
        let mut api = Connection::open(self.address).await?;
        let started = Instant::now();
        api.expect(200, &request).await?;
        let accepted = Instant::now();
        wait_until("storing in the reference", STORE_TIMEOUT, POLL_INTERVAL, async || self.is_stored(batch.last_id).await)
            .await?;
        let stored_secs = accepted.elapsed().as_secs_f64();
        Ok(Timing { accepted_secs: (accepted - started).as_secs_f64(), stored_secs })
    }

    /// Sends events until the worker stores one. The worker subscribes a moment after the API starts, and
    /// NATS drops messages that have no subscriber.
    async fn warm_up(&self) -> anyhow::Result<()> {
        let batch = Batch::new(100, 100, Uuid::now_v7().as_u64_pair().1)?;
        let request = post("/events", &batch.json);
        wait_until("starting the reference's worker", READY_TIMEOUT, Duration::from_millis(500), async || {
            Connection::open(self.address).await?.expect(200, &request).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.is_stored(batch.last_id).await
        })
        .await
    }

    async fn is_stored(&self, id: Uuid) -> anyhow::Result<Option<()>> {
        let found: Option<i32> = sqlx::query_scalar("select 1 from plain_events where event_id = $1")
            .bind(id)
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(found.map(|_| ()))
    }
}

async fn wait_until_open(program: &Program, address: SocketAddr) -> anyhow::Result<()> {
    wait_until("starting the reference", READY_TIMEOUT, Duration::from_millis(100), async || {
        Ok(Connection::open(address).await.is_ok().then_some(()))
    })
    .await
    .with_context(|| format!("its log says:\n{}", program.log_tail()))
}
