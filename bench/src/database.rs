//! Databases of the benchmark, all in one PostgreSQL: made, measured, filled.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_stack::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Events in the rollups: base and deltas in one statement, so it is right at every moment.
const COUNTED: &str = "select coalesce(sum(n), 0)::bigint from (
    select n from event_counts
    union all
    select n from event_counts_delta
) counted";

/// Bytes of a table, all its partitions and all their indexes.
const BYTES: &str = "select (pg_total_relation_size($1::regclass) + coalesce((
    select sum(pg_total_relation_size(relid))
    from pg_partition_tree($1::regclass)
    where isleaf
), 0))::bigint";

/// Empties everything but the dictionaries, whose numbers a running worker remembers.
const CLEAR: &str = "truncate event_ids, events, active_users, active_users_delta, event_counts, event_counts_delta, event_hours, sessions, \
     sessions_delta, user_activity, user_activity_delta";

const HAS_DELTAS: &str = "select exists (select from active_users_delta)
    or exists (select from event_counts_delta)
    or exists (select from sessions_delta)
    or exists (select from user_activity_delta)";

/// A database of its own.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

/// Bytes on disk, indexes included.
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
    /// Makes an empty database, in place of one of the same name.
    pub(crate) async fn create(postgres: &Postgres, name: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(&postgres.url("rollcall")).await?;
        // The names are made in this crate.
        for statement in [format!("drop database if exists {name} with (force)"), format!("create database {name}")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Self::open(postgres, name)
    }

    /// A database that may be there.
    pub(crate) fn open(postgres: &Postgres, name: &str) -> anyhow::Result<Self> {
        let url = postgres.url(name);
        let settings = DatabaseSettings { max_connections: 8, ..DatabaseSettings::of_url(url.clone()) };
        let pool = database::pool(&settings, "rollcall-bench", Duration::ZERO)?;
        Ok(Self { name: name.to_owned(), url, pool })
    }

    /// Makes the tables of Rollcall, or brings them up to date.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        database::migrate(&self.pool).await.context("the schema cannot be made")
    }

    /// How many events the rollups count.
    pub(crate) async fn counted(&self) -> anyhow::Result<u64> {
        let counted: i64 = sqlx::query_scalar(COUNTED).fetch_one(&self.pool).await?;
        Ok(u64::try_from(counted)?)
    }

    /// Bytes of write-ahead log since the server was made, of all its databases.
    pub(crate) async fn wal_bytes(&self) -> anyhow::Result<f64> {
        let position: i64 =
            sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").fetch_one(&self.pool).await?;
        Ok(position as f64)
    }

    /// What the tables take.
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

    /// Writes every changed page, so that the next change of each is logged in full.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<()> {
        sqlx::query("checkpoint").execute(&self.pool).await?;
        Ok(())
    }

    /// Takes all events away.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        sqlx::query(CLEAR).execute(&self.pool).await?;
        Ok(())
    }

    /// Whether a compactor has work to do.
    pub(crate) async fn has_deltas(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query_scalar(HAS_DELTAS).fetch_one(&self.pool).await?)
    }

    async fn table_bytes(&self, table: &str) -> anyhow::Result<f64> {
        let bytes: i64 = sqlx::query_scalar(BYTES).bind(table).fetch_one(&self.pool).await?;
        Ok(bytes as f64)
    }
}
