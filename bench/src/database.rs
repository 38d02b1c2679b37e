//! The databases of the benchmark, which are all in one PostgreSQL server.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_stack::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Number of events in the rollups. It reads base and deltas in one statement, so it is right even during a
/// fold.
const COUNTED: &str = "select coalesce(sum(n), 0)::bigint from (
    select n from event_counts
    union all
    select n from event_counts_delta
) counted";

/// Size in bytes of a table with its partitions and indexes.
const BYTES: &str = "select (pg_total_relation_size($1::regclass) + coalesce((
    select sum(pg_total_relation_size(relid))
    from pg_partition_tree($1::regclass)
    where isleaf
), 0))::bigint";

/// Empties all tables except the dictionaries, because a running worker caches their numbers.
const CLEAR: &str = "truncate event_ids, events, active_users, active_users_delta, event_counts, event_counts_delta, event_hours, sessions, \
     sessions_delta, user_activity, user_activity_delta";

const HAS_DELTAS: &str = "select exists (select from active_users_delta)
    or exists (select from event_counts_delta)
    or exists (select from sessions_delta)
    or exists (select from user_activity_delta)";

/// One database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

/// Sizes in bytes on disk, including indexes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes {
    pub(crate) ledger: f64,
    pub(crate) events: f64,
    /// Rollups with their deltas, and the dictionaries.
    pub(crate) rest: f64,
}

impl Bytes {
    pub(crate) fn sum(self) -> f64 {
        self.ledger + self.events + self.rest
    }
}

impl Database {
    /// Creates an empty database and drops an existing one of the same name.
    pub(crate) async fn create(postgres: &Postgres, name: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(&postgres.url("rollcall")).await?;
        // All names are constants of this crate or derived from numbers, so they are safe in a statement.
        for statement in [format!("drop database if exists {name} with (force)"), format!("create database {name}")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Self::open(postgres, name)
    }

    /// A connection pool for a database that may or may not exist.
    pub(crate) fn open(postgres: &Postgres, name: &str) -> anyhow::Result<Self> {
        let url = postgres.url(name);
        let settings = DatabaseSettings { max_connections: 8, ..DatabaseSettings::of_url(url.clone()) };
        let pool = database::pool(&settings, "rollcall-bench", Duration::ZERO)?;
        Ok(Self { name: name.to_owned(), url, pool })
    }

    /// Creates the tables of Rollcall, or brings them up to date.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        database::migrate(&self.pool).await.context("the schema cannot be made")
    }

    /// Creates a project with a key that may send events.
    pub(crate) async fn add_project(&self, name: &str, key: &str) -> anyhow::Result<()> {
        sqlx::query("insert into projects (name) values ($1)").bind(name).execute(&self.pool).await?;
        let statement = "insert into api_keys (project_id, name, key_hash, scopes) \
                         select id, $1, sha256($2::bytea), array['ingest'] from projects where name = $1";
        sqlx::query(statement).bind(name).bind(key).execute(&self.pool).await?;
        Ok(())
    }

    /// The number of events that the rollups count.
    pub(crate) async fn counted(&self) -> anyhow::Result<u64> {
        let counted: i64 = sqlx::query_scalar(COUNTED).fetch_one(&self.pool).await?;
        Ok(u64::try_from(counted)?)
    }

    /// Bytes of write-ahead log that the server has written for all its databases since it was created.
    pub(crate) async fn wal_bytes(&self) -> anyhow::Result<f64> {
        let position: i64 =
            sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").fetch_one(&self.pool).await?;
        Ok(position as f64)
    }

    /// The sizes of the tables.
    pub(crate) async fn bytes(&self) -> anyhow::Result<Bytes> {
        let rest = [
            "users",
            "event_types",
            "active_users",
            "active_users_delta",
            "event_counts",
            "event_counts_delta",
            "event_hours",
            "sessions",
            "sessions_delta",
            "user_activity",
            "user_activity_delta",
        ];
        let mut bytes =
            Bytes { ledger: self.table_bytes("event_ids").await?, events: self.table_bytes("events").await?, rest: 0.0 };
        for table in rest {
            bytes.rest += self.table_bytes(table).await?;
        }
        Ok(bytes)
    }

    /// Writes all changed pages to disk. PostgreSQL then logs each page completely when it changes for the
    /// first time.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<()> {
        sqlx::query("checkpoint").execute(&self.pool).await?;
        Ok(())
    }

    /// Removes all events.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        sqlx::query(CLEAR).execute(&self.pool).await?;
        Ok(())
    }

    /// True if there are deltas to fold.
    pub(crate) async fn has_deltas(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query_scalar(HAS_DELTAS).fetch_one(&self.pool).await?)
    }

    async fn table_bytes(&self, table: &str) -> anyhow::Result<f64> {
        let bytes: i64 = sqlx::query_scalar(BYTES).bind(table).fetch_one(&self.pool).await?;
        Ok(bytes as f64)
    }
}
