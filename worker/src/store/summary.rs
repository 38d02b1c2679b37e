//! Summaries: what the new rows of a batch add to the rollups of sessions and users.
//!
//! [`Summaries`] groups the events of a batch by key and appends the deltas. The trait [`Summary`] defines
//! what is summarised and how it is written; `session` and `user_activity` implement it.

use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::error::{StoreError, agree};
use crate::store::new_event::NewEvent;

/// Maximum number of summaries in one row of deltas: about 100 KB of sessions, or 28 KB of users. A query for
/// a single one reads whole rows.
const MAX_SUMMARIES_PER_DELTA: usize = 1_000;

/// What events say about the session or the user that they belong to.
pub(crate) trait Summary: Sized + Send + Sync {
    /// The name of its events in errors.
    const EVENTS: &'static str;
    /// The name of the rows of its deltas in errors.
    const DELTAS: &'static str;

    /// Identifies the session or user within its project. Its order is that of the keys of the rollup.
    type Key: Ord;
    /// One row of deltas.
    type Delta: Delta;

    fn project(&self) -> ProjectId;

    fn key(&self) -> Self::Key;

    /// The number of events in the summary.
    fn events(&self) -> i64;

    /// Adds the summary of earlier or later events with the same key.
    fn merge(&mut self, other: &Self);

    /// The row of deltas with these summaries of one project, of which there is at least one, in the order of
    /// their keys.
    fn delta(summaries: &[Self]) -> Self::Delta;
}

/// A row of deltas.
///
/// It is written by an INSERT with its arrays as parameters. A COPY would end with a small packet that is held
/// back for 40 ms, as [`insert`](crate::store::write::insert) explains.
pub(crate) trait Delta: Send + Sync {
    /// Inserts the row; returns how many rows the server counted.
    fn insert(&self, connection: &mut PgConnection) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
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
            match summaries.last_mut().filter(|last| is_same(*last, &summary)) {
                Some(last) => last.merge(&summary),
                None => summaries.push(summary),
            }
        }
        // Summaries are large: the keys are sorted, and each summary is moved once.
        summaries.sort_by_cached_key(|summary| (summary.project(), summary.key()));
        summaries.dedup_by(|later, first| {
            let is_same = is_same(later, first);
            if is_same {
                first.merge(later);
            }
            is_same
        });
        Self { summaries, events: summed_up }
    }

    /// The rows of the deltas, each with summaries of one project.
    pub(crate) fn deltas(&self) -> Vec<S::Delta> {
        let of_project = self.summaries.chunk_by(|one, next| one.project() == next.project());
        of_project.flat_map(|summaries| summaries.chunks(MAX_SUMMARIES_PER_DELTA)).map(S::delta).collect()
    }

    /// Appends the deltas, in the transaction that stores the events.
    ///
    /// # Errors
    /// Those of the database, and [`StoreError::Disagreement`] if the counted events or the written
    /// rows are not as many as expected.
    pub(crate) async fn insert(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let counted: i64 = self.summaries.iter().map(S::events).sum();
        agree(S::EVENTS, self.events, counted.unsigned_abs())?;
        for delta in self.deltas() {
            agree(S::DELTAS, 1, delta.insert(connection).await?)?;
        }
        Ok(())
    }
}

fn is_same<S: Summary>(one: &S, other: &S) -> bool {
    one.project() == other.project() && one.key() == other.key()
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
        let deltas: Vec<_> = summaries.deltas().iter().map(|delta| (delta.project, delta.ords.len())).collect();
        assert_eq!(deltas, [(1, 1_000), (1, 1), (2, 1)]);
    }
}
