//! Advisory locks: ensure that only one worker runs a task at a time.

use sqlx::PgConnection;

/// A lock, named after what it guards. The numbers must stay the same, because workers of two versions may
/// run side by side.
#[derive(Debug, Clone, Copy)]
pub(super) enum AdvisoryLock {
    /// Folding the deltas of active users.
    ActiveUsers = 7031,
    /// Creating partitions.
    Partitions = 7032,
    /// Building the B-trees of past days.
    Indexes = 7033,
    /// Bringing a filter up to date.
    Filters = 7034,
    /// Folding the deltas of event counts.
    EventCounts = 7035,
    /// Folding the deltas of sessions.
    Sessions = 7036,
    /// Folding the deltas of users.
    UserActivity = 7037,
    /// Deleting what projects keep no longer.
    Expiry = 7038,
    /// Archiving, dropping and restoring days, which `rollcall-archive` does.
    Archive = 7041,
    /// Being the worker that archives.
    ArchiveDuty = 7042,
}

impl AdvisoryLock {
    pub(super) const fn key(self) -> i64 {
        self as i64
    }

    /// Takes the lock until the transaction ends; false if another session holds it.
    pub(super) async fn try_for_transaction(self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = sqlx::query_file!("sql/maintenance/try_lock_transaction.sql", self.key()).fetch_one(connection).await?;
        Ok(row.locked)
    }

    /// Waits for the lock, and holds it until the transaction ends.
    pub(super) async fn wait_for_transaction(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query_file!("sql/maintenance/wait_lock_transaction.sql", self.key()).fetch_one(connection).await?;
        Ok(())
    }

    /// Takes the lock until the connection closes; false if another session holds it.
    pub(super) async fn try_for_session(self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = sqlx::query_file!("sql/maintenance/try_lock_session.sql", self.key()).fetch_one(connection).await?;
        Ok(row.locked)
    }

    /// Waits for the lock, and holds it until it is given back or the connection closes.
    pub(super) async fn wait_for_session(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query_file!("sql/maintenance/wait_lock_session.sql", self.key()).fetch_one(connection).await?;
        Ok(())
    }

    /// Gives a lock of the session back.
    pub(super) async fn give_back(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let row = sqlx::query_file!("sql/maintenance/unlock_session.sql", self.key()).fetch_one(connection).await?;
        debug_assert!(row.was_held, "{self:?} was not held");
        Ok(())
    }
}
