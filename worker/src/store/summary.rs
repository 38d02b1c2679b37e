//! Summaries: what the new rows of a batch add to the rollups of sessions and users.
//!
//! [`Summaries`] groups the events of a batch by key and appends the deltas. The trait [`Summary`] defines
//! what is summarised and how it is written; `session` and `user_activity` implement it.

use std::cmp::Ordering;

use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::error::{StoreError, agree};
use crate::store::new_event::NewEvent;
use crate::store::write::{Write, copy};

/// Maximum number of summaries in one row of deltas: about 100 KB of sessions, or 28 KB of users. A query for
/// a single one reads whole rows.
const MAX_SUMMARIES_PER_DELTA: usize = 1_000;

/// The most bytes that the loopback interface carries in one packet. A COPY of no more is acknowledged late,
/// as `insert` explains: 1,400 users take 45 ms instead of 5.
const PACKET_BYTES: usize = 64 * 1024;

/// What events say about the session or the user that they belong to.
pub(crate) trait Summary: Sized + Send + Sync {
    /// The name of its events in errors.
    const EVENTS: &'static str;
    /// The name of the rows of its deltas in errors.
    const DELTAS: &'static str;
    /// The statement that copies deltas.
    const COPY: &'static str;

    fn project(&self) -> ProjectId;

    /// Compares the keys of two summaries of one project.
    fn compare_keys(&self, other: &Self) -> Ordering;

    /// The number of events in the summary.
    fn events(&self) -> i64;

    /// Adds the summary of earlier or later events with the same key.
    fn merge(&mut self, other: &Self);

    /// Deltas, each with at least one summary, as the body of one COPY.
    fn encode(deltas: &[&[Self]]) -> Vec<u8>;

    /// Inserts deltas; returns how many the server counted.
    fn insert(connection: &mut PgConnection, deltas: &[&[Self]]) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

/// The summaries of one batch.
#[derive(Debug)]
pub(crate) struct Summaries<S> {
    /// The summaries, sorted by project and key.
    summaries: Vec<S>,
    /// The number of events in all summaries.
    events: u64,
}

impl<S: Summary> Summaries<S> {
    /// Groups the summaries that `of` returns for the events, which may come in any order. Events without a
    /// summary are left out.
    pub(crate) fn of<'a>(events: &'a [NewEvent<'_, '_>], of: impl Fn(&'a NewEvent<'_, '_>) -> Option<S>) -> Self {
        let mut summaries: Vec<S> = Vec::new();
        let mut summed_up = 0;
        for summary in events.iter().filter_map(of) {
            summed_up += 1;
            // Rows are sorted by user, so most events with the same key follow each other.
            match summaries.last_mut().filter(|last| compare(*last, &summary).is_eq()) {
                Some(last) => last.merge(&summary),
                None => summaries.push(summary),
            }
        }
        summaries.sort_unstable_by(compare);
        summaries.dedup_by(|later, first| {
            let is_same = compare(later, first).is_eq();
            if is_same {
                first.merge(later);
            }
            is_same
        });
        Self { summaries, events: summed_up }
    }

    /// The rows of the deltas, each with summaries of one project, as the body of one COPY.
    pub(crate) fn encode(&self) -> Vec<u8> {
        S::encode(&self.deltas())
    }

    fn deltas(&self) -> Vec<&[S]> {
        let of_project = self.summaries.chunk_by(|one, next| one.project() == next.project());
        of_project.flat_map(|summaries| summaries.chunks(MAX_SUMMARIES_PER_DELTA)).collect()
    }

    /// Appends the deltas, in the transaction that stores the events.
    ///
    /// # Errors
    /// Those of the database, and [`StoreError::Disagreement`] if the counted events or the written
    /// rows are not as many as expected.
    pub(crate) async fn insert(&self, connection: &mut PgConnection, write: Write) -> Result<(), StoreError> {
        let counted: i64 = self.summaries.iter().map(S::events).sum();
        agree(S::EVENTS, self.events, counted.unsigned_abs())?;
        let deltas = self.deltas();
        if deltas.is_empty() {
            return Ok(());
        }
        let body = write.copies(self.summaries.len()).then(|| self.encode()).filter(|body| body.len() > PACKET_BYTES);
        let written = match body {
            Some(body) => copy_deltas::<S>(connection, body).await?,
            None => S::insert(connection, &deltas).await?,
        };
        agree(S::DELTAS, deltas.len() as u64, written)
    }
}

/// Writes deltas that are encoded as the body of a COPY; returns how many rows the server counted.
pub(crate) async fn copy_deltas<S: Summary>(connection: &mut PgConnection, body: Vec<u8>) -> Result<u64, StoreError> {
    copy::run(connection, S::COPY, body).await.map_err(StoreError::CopyRows)
}

fn compare<S: Summary>(one: &S, other: &S) -> Ordering {
    one.project().cmp(&other.project()).then_with(|| one.compare_keys(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::user_activity::UserActivity;

    #[test]
    fn a_delta_holds_summaries_of_one_project_and_not_too_many() {
        let user = |project, user_ord| UserActivity {
            project: ProjectId(project),
            user_ord,
            first_seen_us: 0,
            last_seen_us: 0,
            events: 1,
        };
        let mut summaries: Vec<_> = (0..=1_000).map(|user_ord| user(1, user_ord)).collect();
        summaries.push(user(2, 0));
        let events = summaries.len() as u64;
        let summaries = Summaries { summaries, events };
        let deltas: Vec<_> = summaries.deltas().iter().map(|delta| (delta[0].project.0, delta.len())).collect();
        assert_eq!(deltas, [(1, 1_000), (1, 1), (2, 1)]);
    }
}
