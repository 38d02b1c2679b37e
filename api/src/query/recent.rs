//! Recent answers: what took long to compute is kept for a few seconds.
//!
//! A dashboard that many people watch asks the same at the same time. The first computes, the others
//! wait for its answer. Errors are not kept.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use rollcall_shared::project::ProjectId;

use super::funnel::FunnelAnswer;
use super::question::Asker;
use super::trends::TrendsAnswer;
use crate::error::ApiError;

/// How old an answer may be. Longer saves more work, and shows new events later.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// Bytes that the kept answers of one question may take.
const MAX_BYTES: u64 = 8 << 20;
/// Least weight of an answer, so that there are not too many small ones.
const MIN_BYTES: usize = 8 << 10;

/// An answer whose size is known.
pub(super) trait Weighed: Clone + Send + Sync + 'static {
    /// About how many bytes it takes in memory.
    fn bytes(&self) -> usize;
}

/// The recent answers to the questions that take long.
#[derive(Clone, Default)]
pub(crate) struct RecentAnswers {
    pub(super) funnels: Recent<FunnelAnswer>,
    pub(super) trends: Recent<TrendsAnswer>,
}

/// The recent answers to one question, by project and parameters. Clones share them.
#[derive(Clone)]
pub(super) struct Recent<A: Weighed> {
    answers: Cache<(ProjectId, [u8; 32]), Arc<A>>,
}

impl<A: Weighed> Default for Recent<A> {
    fn default() -> Self {
        let weigh = |_: &(ProjectId, [u8; 32]), answer: &Arc<A>| u32::try_from(answer.bytes().max(MIN_BYTES)).unwrap_or(u32::MAX);
        Self { answers: Cache::builder().max_capacity(MAX_BYTES).weigher(weigh).time_to_live(KEPT_FOR).build() }
    }
}

impl<A: Weighed> Recent<A> {
    /// The answer that is kept or just being computed, or else the one that `compute` gives.
    ///
    /// # Errors
    /// Those of the computation; everybody who waited for it gets them.
    pub(super) async fn get(&self, asker: &Asker, compute: impl Future<Output = Result<A, ApiError>>) -> Result<A, ApiError> {
        let computed = async { compute.await.map(Arc::new) };
        let answer = self.answers.try_get_with((asker.project.id, asker.fingerprint), computed).await;
        answer.map(Arc::unwrap_or_clone).map_err(ApiError::of_another)
    }
}

/// The time that an answer says it was computed at, in whole milliseconds.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}
