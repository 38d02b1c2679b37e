//! The turn: a connection with the lock that lets only one run at a time delete.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use super::error::ExpireError;
use crate::maintenance::lock::AdvisoryLock;

/// A connection that holds the lock. The lock ends with the connection, also when the process is killed.
#[derive(Debug)]
pub(super) struct Turn(PgConnection);

/// The session that holds the lock.
#[derive(Debug)]
pub(crate) struct Holder(Option<Session>);

#[derive(Debug)]
struct Session {
    pid: i32,
    application: String,
    user: String,
}

impl Turn {
    /// Takes the lock; `None` if another session holds it.
    pub(super) async fn take(pool: &PgPool) -> Result<Option<Self>, ExpireError> {
        let mut connection = connect(pool).await?;
        let is_taken = AdvisoryLock::Expiry.try_for_session(&mut connection).await?;
        Ok(is_taken.then_some(Self(connection)))
    }

    /// Gives the lock back.
    pub(super) async fn end(self) -> Result<(), ExpireError> {
        Ok(self.0.close().await?)
    }
}

impl Deref for Turn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// A connection of its own. Counting the rows of a partition may take longer than the statements of a worker may.
pub(super) async fn connect(pool: &PgPool) -> Result<PgConnection, ExpireError> {
    let options = PgConnectOptions::clone(&pool.connect_options()).options([
        ("statement_timeout", "0"),
        ("lock_timeout", "10s"),
        // Knowing the project, the planner would take the filters instead of the B-trees, and read all of its rows.
        ("plan_cache_mode", "force_generic_plan"),
    ]);
    Ok(PgConnection::connect_with(&options).await?)
}

/// The session that holds the lock at the moment.
pub(super) async fn holder(pool: &PgPool) -> Result<Holder, ExpireError> {
    let found = sqlx::query_file!("sql/maintenance/expire/select_lock_holder.sql", AdvisoryLock::Expiry.key())
        .fetch_optional(pool)
        .await?;
    Ok(Holder(found.map(|session| Session {
        pid: session.pid,
        application: session.application_name.unwrap_or_default(),
        user: session.user.unwrap_or_default(),
    })))
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(Session { pid, application, user }) => {
                write!(f, "{application} (user {user}, process {pid} of PostgreSQL)")
            }
            // It ended in between.
            None => f.write_str("another process"),
        }
    }
}
