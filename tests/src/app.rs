//! The service under test, in this process, on a nats-server and database of its own.

use std::time::Duration;

use async_nats::jetstream;
use rollcall_api::ApiSettings;
use rollcall_shared::database;
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::queue::{connect, stream};
use rollcall_shared::settings::Environment;
use rollcall_stack::{NatsServer, NatsUser, Postgres, Scratch};
use rollcall_worker::WorkerSettings;
use rollcall_worker::bulk::Loader;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Process, binary, free_port, fresh_database, own_postgres, wait_until};

/// The key that tests use.
pub const KEY: &str = "test-key";

/// How a test wants its service.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// Workers in this process.
    pub workers: usize,
    /// Further variables.
    pub variables: Vec<(&'static str, String)>,
    /// Whether PostgreSQL is its own too, to be stopped and started.
    pub own_postgres: bool,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self { workers: 1, variables: Vec::new(), own_postgres: false }
    }
}

/// The servers of one test.
pub struct Servers {
    /// `DATABASE_URL`.
    pub database_url: String,
    /// The database server, if it is the test's own.
    pub postgres: Option<Postgres>,
    /// The queue.
    pub nats: NatsServer,
    /// Where they keep their data.
    pub folder: Scratch,
}

/// A running service.
pub struct App {
    /// `http://127.0.0.1:port` of the API.
    pub url: String,
    /// Addresses of the workers' health and metrics.
    pub worker_urls: Vec<String>,
    /// For looking at what is really stored.
    pub pool: PgPool,
    /// `DATABASE_URL`.
    pub database_url: String,
    /// Its own database server, if it was asked for.
    pub postgres: Option<Postgres>,
    /// Its own queue.
    pub nats: NatsServer,
    /// An HTTP client.
    pub http: reqwest::Client,
    options: AppOptions,
    stop: CancellationToken,
    folder: Scratch,
}

impl Servers {
    /// Servers of the test's own without a schema and without streams.
    ///
    /// # Panics
    /// If one does not start.
    pub async fn empty() -> Self {
        let folder = Scratch::make().expect("a temporary folder");
        let (postgres, nats) = (folder.path().join("postgres"), folder.path().join("nats"));
        let start = move || (Postgres::start(&postgres).expect("it starts"), NatsServer::start(&nats).expect("it starts"));
        let (postgres, nats) = tokio::task::spawn_blocking(start).await.expect("no panic");
        // Two crates with a TLS provider each are in the tree; reqwest wants to be told which.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { database_url: postgres.url("rollcall"), postgres: Some(postgres), nats, folder }
    }
}

impl App {
    /// With one worker and default settings.
    pub async fn start() -> Self {
        Self::start_with(AppOptions::default()).await
    }

    /// Without workers and with these further variables: what is accepted stays in the queue.
    pub async fn start_without_workers(variables: Vec<(&'static str, String)>) -> Self {
        Self::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await
    }

    /// With the given workers and settings.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start_with(options: AppOptions) -> Self {
        let folder = Scratch::make().expect("a temporary folder");
        let (database_url, postgres) = if options.own_postgres {
            let postgres = own_postgres(folder.path().join("postgres")).await;
            (postgres.url("rollcall"), Some(postgres))
        } else {
            (fresh_database().await, None)
        };
        let path = folder.path().join("nats");
        let nats =
            tokio::task::spawn_blocking(move || NatsServer::start(&path)).await.expect("no panic").expect("nats-server starts");
        Self::start_on(Servers { database_url, postgres, nats, folder }, options).await
    }

    /// The same on servers that are there already, with a schema.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start_on(servers: Servers, options: AppOptions) -> Self {
        let Servers { database_url, postgres, nats, folder } = servers;
        let read = |user| Environment::from_pairs(variables(&database_url, &nats, user, &options));
        let api = ApiSettings::from_env(&mut read(NatsUser::Api));
        let worker = WorkerSettings::from_env(&mut read(NatsUser::Worker));
        stream::ensure_as_admin(&api.nats).await.expect("stream and consumer are made");
        let pool = database::pool(&api.database, "test", Duration::ZERO).expect("a valid URL");

        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(rollcall_api::run(api, listener, stop.clone()));
        let mut worker_urls = Vec::new();
        for _ in 0..options.workers {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            worker_urls.push(format!("http://{}", listener.local_addr().expect("an address")));
            tokio::spawn(rollcall_worker::run(worker.clone(), listener, stop.clone()));
        }
        // Two crates with a TLS provider each are in the tree; reqwest wants to be told which.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let app = Self { url, worker_urls, pool, database_url, postgres, nats, http, options, stop, folder };
        app.wait_until_all_ready().await;
        app
    }

    /// Another API (`api`) or worker (`worker`) on the same servers, in a process of its own that does
    /// not run yet, and its address.
    pub fn process(&self, program: &'static str) -> (Process, String) {
        self.process_with(program, &[])
    }

    /// The same with further variables.
    pub fn process_with(&self, program: &'static str, further: &[(&'static str, &str)]) -> (Process, String) {
        let listen = format!("127.0.0.1:{}", free_port());
        let (user, variable) = if program == "api" { (NatsUser::Api, "API_LISTEN") } else { (NatsUser::Worker, "WORKER_LISTEN") };
        let mut variables = variables(&self.database_url, &self.nats, user, &self.options);
        variables.extend([(variable, listen.clone()), ("LOG_LEVEL", "info,async_nats=warn".to_owned())]);
        variables.extend(further.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let name = format!("{program}-{listen}");
        (Process::new(name, binary(program), variables, self.folder.path().to_owned()), format!("http://{listen}"))
    }

    /// Waits until the API and every worker say that they are ready.
    ///
    /// # Panics
    /// If they do not in time.
    pub async fn wait_until_all_ready(&self) {
        for url in std::iter::once(&self.url).chain(&self.worker_urls) {
            self.wait_until_ready(url).await;
        }
    }

    /// Waits until the service at this address says that it is ready.
    ///
    /// # Panics
    /// If it does not in time.
    pub async fn wait_until_ready(&self, url: &str) {
        wait_until(&format!("{url} is ready"), async || {
            let answer: Value = self.http.get(format!("{url}/health/ready")).send().await.ok()?.json().await.ok()?;
            (answer["status"] == "ready").then_some(())
        })
        .await;
    }

    /// Adds a key to the table as administration will, and its project if there is none of the name.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn add_key(&self, project: &str, key: &str, scopes: &[&str]) {
        let statement = "insert into projects (name) values ($1) on conflict do nothing";
        sqlx::query(statement).bind(project).execute(&self.pool).await.expect("a project");
        let statement = "insert into api_keys (project_id, name, key_hash, scopes) \
                         select id, $2, sha256($2::bytea), $3 from projects where name = $1";
        sqlx::query(statement).bind(project).bind(key).bind(scopes).execute(&self.pool).await.expect("a key");
    }

    /// JetStream as the user who may do everything, over a connection of its own.
    ///
    /// # Panics
    /// If there is no connection.
    pub async fn jetstream(&self) -> jetstream::Context {
        let access = NatsAccess::of_url(self.nats.url(NatsUser::Admin));
        jetstream::new(connect::connect(&access, connect::Role::Admin).await.expect("a connection"))
    }

    /// Sends a body and returns the status and the JSON of the answer.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn post(&self, path_and_query: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path_and_query}", self.url)).header("X-API-Key", KEY).body(body);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// Sends events that must be accepted; returns the answer.
    ///
    /// # Panics
    /// If they are not.
    pub async fn send(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/events", &[], body.to_string()).await;
        assert_eq!(status, 202, "{answer}");
        answer
    }

    /// Asks and returns the status and the JSON of the answer.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn get(&self, path_and_query: &str) -> (u16, Value) {
        self.call(reqwest::Method::GET, path_and_query).await
    }

    /// Sends a request without a body and returns the status and the JSON of the answer.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn call(&self, method: reqwest::Method, path_and_query: &str) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path_and_query}", self.url)).header("X-API-Key", KEY);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// Asks a question that must be answered, from the rollups and from the rows; both must agree.
    ///
    /// # Panics
    /// If they do not.
    pub async fn ask(&self, path_and_query: &str) -> Value {
        let (status, rollups) = self.get(path_and_query).await;
        assert_eq!(status, 200, "{path_and_query}: {rollups}");
        let (_, rows) = self.get(&format!("{path_and_query}&source=events")).await;
        assert_eq!(rollups, rows, "{path_and_query}: rollups and rows differ");
        rollups
    }

    /// How many rows are stored.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn stored(&self) -> i64 {
        sqlx::query_scalar("select count(*) from events").fetch_one(&self.pool).await.expect("a count")
    }

    /// Waits until the queue is empty: everything accepted so far is stored.
    ///
    /// # Panics
    /// If it is not in time.
    pub async fn wait_until_stored(&self) {
        let context = self.jetstream().await;
        wait_until("the queue is empty", || async {
            let stream = context.get_stream(stream::STREAM).await.ok()?;
            (stream.cached_info().state.messages == 0).then_some(())
        })
        .await;
    }

    /// Waits until no message is counted as begun or refused: what is done with is forgotten.
    ///
    /// # Panics
    /// If they are not in time.
    pub async fn wait_until_no_message_is_counted(&self) {
        wait_until("no message is counted", || async {
            let left: i64 = sqlx::query_scalar("select count(*) from troubled_messages").fetch_one(&self.pool).await.ok()?;
            (left == 0).then_some(())
        })
        .await;
    }

    /// Waits until no delta is left unfolded.
    ///
    /// # Panics
    /// If they are not in time.
    pub async fn wait_until_compacted(&self) {
        let deltas = "select (select count(*) from active_users_delta) + (select count(*) from event_counts_delta) \
                      + (select count(*) from sessions_delta) + (select count(*) from user_activity_delta)";
        wait_until("the deltas are folded", || async {
            let left: i64 = sqlx::query_scalar(deltas).fetch_one(&self.pool).await.ok()?;
            (left == 0).then_some(())
        })
        .await;
    }

    /// Waits until the deltas are folded and every week and month that is over is united. Workers would leave those that
    /// changed just now for some seconds.
    pub async fn wait_until_united(&self) {
        const LACKING: &str = "select count(*) from active_user_spans where bitmap is null and last_day < current_date - 1";
        let loader = Loader::new(self.pool.clone());
        self.wait_until_compacted().await;
        wait_until("weeks and months are united", || async {
            // Nothing is done if a worker has the lock at the moment.
            loader.compact().await.ok()?;
            let lacking: i64 = sqlx::query_scalar(LACKING).fetch_one(&self.pool).await.ok()?;
            (lacking == 0).then_some(())
        })
        .await;
    }
}

/// The variables of a service on these servers.
pub(crate) fn variables(
    database_url: &str,
    nats: &NatsServer,
    user: NatsUser,
    options: &AppOptions,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("DATABASE_URL", database_url.to_owned()),
        ("DATABASE_MAX_CONNECTIONS", "4".to_owned()),
        ("NATS_URL", nats.url(user)),
        ("NATS_ADMIN_URL", nats.url(NatsUser::Admin)),
        ("MIGRATE_ON_START", "false".to_owned()),
        ("API_KEY", KEY.to_owned()),
        ("COMPACT_INTERVAL_MS", "100".to_owned()),
        // Five of them, doubled each time, are 1.5 s.
        ("RETRY_DELAY_MS", "50".to_owned()),
    ];
    variables.extend(options.variables.clone());
    variables
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An event with the usual fields.
#[must_use]
pub fn event(id: &str, user: &str, event_type: &str, occurred_at: &str) -> Value {
    json!({"event_id": id, "user_id": user, "event_type": event_type, "occurred_at": occurred_at})
}
