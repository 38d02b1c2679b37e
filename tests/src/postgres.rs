//! One PostgreSQL for all tests of the process, one database for each.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_stack::{Postgres, Scratch};
use sqlx::AssertSqlSafe;
use tokio::sync::OnceCell;

/// Migrated and partitioned once; copying it is faster than doing both for every test.
const TEMPLATE: &str = "rollcall_template";

struct Server {
    postgres: Postgres,
    // A static is never dropped: its folder and the server go when the process ends.
    _folder: Scratch,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// The URL of a new, empty, migrated database.
///
/// # Panics
/// If PostgreSQL cannot be used.
pub async fn fresh_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(start).await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    execute(server, &format!("create database {name} template {TEMPLATE} strategy file_copy")).await;
    server.postgres.url(&name)
}

/// The server's log.
///
/// # Panics
/// If PostgreSQL cannot be used.
pub async fn postgres_log() -> PathBuf {
    SERVER.get_or_init(start).await.postgres.log_path().to_owned()
}

async fn start() -> Server {
    let folder = Scratch::make().expect("a temporary folder");
    let path = folder.path().join("postgres");
    let postgres =
        tokio::task::spawn_blocking(move || Postgres::start(&path)).await.expect("no panic").expect("PostgreSQL starts");
    let server = Server { postgres, _folder: folder };
    execute(&server, &format!("create database {TEMPLATE}")).await;
    prepare(&server.postgres.url(TEMPLATE)).await;
    server
}

/// A server of one test's own in this folder, its database `rollcall` migrated.
pub(crate) async fn own_postgres(folder: PathBuf) -> Postgres {
    let postgres = tokio::task::spawn_blocking(move || Postgres::start(&folder)).await.expect("no panic").expect("it starts");
    prepare(&postgres.url("rollcall")).await;
    postgres
}

/// Migrates a database and makes its partitions.
async fn prepare(url: &str) {
    let settings = DatabaseSettings { max_connections: 2, ..DatabaseSettings::of_url(url) };
    let pool = database::pool(&settings, "template", Duration::ZERO).expect("a valid URL");
    database::migrate(&pool).await.expect("migrations apply");
    rollcall_worker::make_partitions(&pool).await.expect("partitions are made");
    pool.close().await;
}

async fn execute(server: &Server, statement: &str) {
    use sqlx::Connection;
    let url = server.postgres.url("rollcall");
    let mut connection = sqlx::PgConnection::connect(&url).await.expect("PostgreSQL answers");
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("the statement runs");
}
