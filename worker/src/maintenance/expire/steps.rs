//! Steps: expired rows of one project are deleted from a partition that has others too, a few thousand at a time.
//!
//! Nobody else changes or deletes rows, and readers do not wait for those who delete. So a step holds up nobody, except by
//! the work that it is; therefore a pause as long as the step follows it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::ExpireError;
use super::partition::Partition;
use super::project::Project;
use super::statement;
use crate::maintenance::table::Table;

/// Rows that a step deletes: some 20 ms of work, and a transaction that is small beside a batch of a worker.
const ROWS: i64 = 5_000;

/// The steps of one project in one partition.
#[derive(Debug)]
pub(super) struct Steps<'p> {
    partition: &'p Partition,
    project: &'p Project,
    place: Place,
    is_at_end: bool,
    took: Duration,
}

/// A place in the index along which rows are deleted.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Of events: the number of the user, and the time.
    Event(i32, SqlTimestamp),
    /// Of identities.
    Identity(Uuid),
}

impl<'p> Steps<'p> {
    pub(super) fn new(partition: &'p Partition, project: &'p Project) -> Self {
        let place = match partition.table {
            Table::Events => Place::Event(0, Timestamp::UNIX_EPOCH.to_sqlx()),
            Table::EventIds => Place::Identity(Uuid::nil()),
        };
        Self { partition, project, place, is_at_end: false, took: Duration::ZERO }
    }

    /// Deletes the next rows; returns how many, or `None` if none is left.
    pub(super) async fn next(&mut self, connection: &mut PgConnection) -> Result<Option<u64>, ExpireError> {
        if self.is_at_end {
            return Ok(None);
        }
        let started = Instant::now();
        let statement = statement::delete_step(self.partition);
        let (project, horizon) = (self.project.id, self.project.horizon.to_sqlx());
        let deleted = match self.place {
            Place::Event(user, at) => {
                let step = sqlx::query_as(statement).bind(project).bind(horizon).bind(user).bind(at).bind(ROWS);
                let found: Option<(i64, i32, SqlTimestamp)> = step.fetch_optional(connection).await?;
                found.map(|(deleted, user, at)| (deleted, Place::Event(user, at)))
            }
            Place::Identity(id) => {
                let step = sqlx::query_as(statement).bind(project).bind(horizon).bind(id).bind(ROWS);
                let found: Option<(i64, Uuid)> = step.fetch_optional(connection).await?;
                found.map(|(deleted, id)| (deleted, Place::Identity(id)))
            }
        };
        self.took = started.elapsed();
        let Some((deleted, place)) = deleted else { return Ok(None) };
        self.place = place;
        self.is_at_end = deleted < ROWS;
        Ok(Some(deleted.unsigned_abs()))
    }

    /// Leaves the server to others for as long as the last step took.
    pub(super) async fn pause(&self) {
        tokio::time::sleep(self.took).await;
    }
}
