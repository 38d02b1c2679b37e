//! The settings of connections to PostgreSQL.

use std::ops::RangeInclusive;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::settings::{Environment, Secret};

/// How to reach PostgreSQL, and how long to wait for it.
///
/// The server enforces every limit except the last two. It ends a statement that hangs and reports an error, and
/// the connection stays in step.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: Secret,
    /// Maximum number of connections of this process.
    pub max_connections: u32,
    /// Whether services bring the schema, the streams and the consumers up to date when they start.
    pub migrate_on_start: bool,
    /// How long one statement of a worker may run. Queries of the API have a separate limit.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock of another session.
    pub lock_timeout: Duration,
    /// How long the server keeps a transaction whose client sends nothing.
    pub idle_in_transaction_timeout: Duration,
    /// How long a worker waits for one transaction before it considers the server gone and closes the
    /// connection. It must exceed the limits that the server enforces.
    pub reply_timeout: Duration,
    /// How long to wait for a connection, because the server is away or all connections are in use.
    pub acquire_timeout: Duration,
}

impl DatabaseSettings {
    /// Reads `DATABASE_URL`, the other variables that begin with `DATABASE_`, and `MIGRATE_ON_START`.
    pub fn from_env(environment: &mut Environment) -> Self {
        let mut read_ms = |name, default_ms, range: RangeInclusive<u64>, meaning| {
            Duration::from_millis(environment.read_in(name, default_ms, range, meaning))
        };
        let statement_timeout = read_ms(
            "DATABASE_STATEMENT_TIMEOUT_MS",
            30_000,
            100..=3_600_000,
            "milliseconds one statement of a worker may run in PostgreSQL",
        );
        let lock_timeout = read_ms(
            "DATABASE_LOCK_TIMEOUT_MS",
            10_000,
            10..=3_600_000,
            "milliseconds a statement waits for a lock of another session",
        );
        let idle_in_transaction_timeout = read_ms(
            "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS",
            30_000,
            100..=3_600_000,
            "milliseconds PostgreSQL keeps a transaction whose client sends nothing",
        );
        let reply_timeout = read_ms(
            "DATABASE_REPLY_TIMEOUT_MS",
            60_000,
            100..=3_600_000,
            "milliseconds a worker waits for one transaction before it closes the connection",
        );
        let acquire_timeout =
            read_ms("DATABASE_ACQUIRE_TIMEOUT_MS", 5_000, 100..=600_000, "milliseconds to wait for a connection to PostgreSQL");
        let default = "postgres://rollcall:rollcall@127.0.0.1:5432/rollcall";
        Self {
            url: environment.read_url(
                "DATABASE_URL",
                default,
                "PostgreSQL 15 or newer, as postgres://user:password@host:port/database",
                check_url,
            ),
            max_connections: environment.read_in(
                "DATABASE_MAX_CONNECTIONS",
                10,
                2..=1000,
                "PostgreSQL connections of one process",
            ) as u32,
            migrate_on_start: environment.read(
                "MIGRATE_ON_START",
                true,
                "whether services bring schema, streams and consumers up to date when they start: true or false",
            ),
            statement_timeout,
            lock_timeout,
            idle_in_transaction_timeout,
            reply_timeout,
            acquire_timeout,
        }
    }

    /// These connections with default limits, for programs that read no environment.
    #[must_use]
    pub fn of_url(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), ..Self::from_env(&mut Environment::default()) }
    }
}

/// sqlx accepts a URL of any scheme, and the process would then try to connect for ever.
fn check_url(url: &str) -> Result<(), String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("must begin with postgres://".to_owned());
    }
    match url.parse::<PgConnectOptions>() {
        Ok(_) => Ok(()),
        // The text of the error may repeat a part of the URL.
        Err(_) => Err("is not a URL that can be read; reserved characters of a password are written as %23 for #".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_database_is_refused_without_its_password() {
        for url in
            ["mysql://user:hush@host:3306/x", "host:5432", "postgres://user:hush@host:port/x", "postgres://user:hush#1@host/x"]
        {
            let mut environment = Environment::from_pairs([("DATABASE_URL", url)]);
            DatabaseSettings::from_env(&mut environment);
            let message = environment.finish().unwrap_err().to_string();
            assert!(
                message.contains("DATABASE_URL") && message.contains("postgres://user:password@host:port/database"),
                "{message}"
            );
            assert!(!message.contains("hush"), "{message}");
        }
    }
}
