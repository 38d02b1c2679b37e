//! `rollcall dev`: the whole service in one process, on private servers.
//!
//! It starts PostgreSQL and nats-server in a data folder, migrates, runs the API and its workers,
//! loads sample data on request, prints how to try it, and stops everything in the opposite order.

use std::path::PathBuf;

use anyhow::Context;
use rollcall_api::ApiSettings;
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::settings::{Environment, ListenAddress, Secret};
use rollcall_shared::shutdown;
use rollcall_shared::telemetry::LogSettings;
use rollcall_stack::{NatsUser, Stack};
use rollcall_worker::WorkerSettings;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{demo, migrate};

/// Options of `rollcall dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Load sample data once the service runs
    #[arg(long)]
    demo: bool,
    /// Address or host name and port of the API
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDR")]
    listen: ListenAddress,
    /// Folder in which the data is kept
    #[arg(long, default_value = ".rollcall", value_name = "DIR")]
    data: PathBuf,
    /// Keep the data in a temporary folder and remove it at the end
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Number of workers
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

/// Runs until told to stop.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // This comes before the servers start, so that a wrong setting or an occupied port is reported at once.
    let settings = Settings::from_env()?;
    let listener = TcpListener::bind(arguments.listen.0).await.with_context(|| {
        format!("cannot listen on {}; is another rollcall running? choose another with --listen", arguments.listen)
    })?;
    let stop = shutdown::on_signal()?;
    let (ephemeral, data) = (arguments.ephemeral, arguments.data.clone());
    eprintln!("starting PostgreSQL and nats-server ...");
    let stack = tokio::task::spawn_blocking(move || if ephemeral { Stack::ephemeral() } else { Stack::start(&data) }).await??;
    let outcome = serve(&arguments, settings.of(&stack), &stack, listener, stop).await;
    tokio::task::spawn_blocking(move || stack.stop()).await?;
    outcome
}

async fn serve(
    arguments: &Arguments,
    settings: Settings,
    stack: &Stack,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Settings { api, worker } = settings;
    migrate::migrate(&api.database, &api.nats).await?;
    let key = api.api_key.as_ref().map(|key| key.expose().to_owned()).unwrap_or_default();
    let url = format!("http://{}", listener.local_addr()?);
    let mut services = JoinSet::new();
    services.spawn(rollcall_api::run(api, listener, stop.clone()));
    for _ in 0..arguments.workers {
        // Workers share the process, so each takes any free port for its health and metrics.
        let health = TcpListener::bind("127.0.0.1:0").await?;
        services.spawn(rollcall_worker::run(worker.clone(), health, stop.clone()));
    }
    let database_url = stack.postgres.url("rollcall");
    let greeting = async {
        if arguments.demo {
            demo::load(&url, &key).await?;
        }
        demo::greet(&url, &key, &database_url, arguments.ephemeral);
        std::future::pending::<anyhow::Result<()>>().await
    };
    let outcome = tokio::select! {
        // If one service ends unexpectedly, the others are stopped too.
        ended = services.join_next() => ended.transpose()?.unwrap_or(Ok(())),
        failed = greeting => failed,
        () = stop.cancelled() => Ok(()),
    };
    stop.cancel();
    while let Some(ended) = services.join_next().await {
        ended??;
    }
    outcome
}

/// The settings of both services.
struct Settings {
    api: ApiSettings,
    worker: WorkerSettings,
}

impl Settings {
    /// Reads the environment, except for the addresses of the servers, and starts the logs.
    fn from_env() -> anyhow::Result<Self> {
        let mut environment = Environment::of_process().with_default("API_KEY", "secret-key").with("MIGRATE_ON_START", "false");
        // `of` sets the addresses of the private servers instead, and the address that is printed begins with http://.
        for name in ["DATABASE_URL", "NATS_URL", "NATS_ADMIN_URL", "API_TLS_CERT_FILE", "API_TLS_KEY_FILE"] {
            environment = environment.with(name, "");
        }
        let logs = LogSettings::from_env(&mut environment);
        let (api, worker) = (ApiSettings::from_env(&mut environment), WorkerSettings::from_env(&mut environment));
        environment.finish()?;
        logs.start();
        Ok(Self { api, worker })
    }

    /// The same settings with the addresses of these servers.
    fn of(mut self, stack: &Stack) -> Self {
        let users = [
            (&mut self.api.database, &mut self.api.nats, NatsUser::Api),
            (&mut self.worker.database, &mut self.worker.nats, NatsUser::Worker),
        ];
        for (database, nats, user) in users {
            database.url = Secret::new(stack.postgres.url("rollcall"));
            nats.access = NatsAccess::of_url(stack.nats.url(user));
            nats.admin_access = NatsAccess::of_url(stack.nats.url(NatsUser::Admin));
        }
        self
    }
}
