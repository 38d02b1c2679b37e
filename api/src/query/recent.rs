//! Recent answers: a cache for answers that take long to compute.
//!
//! If many people watch the same dashboard, the same request arrives many times. The first request computes
//! the answer, and the others wait for it. Errors are not cached.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use rollcall_shared::project::ProjectId;

use super::funnel::FunnelAnswer;
use super::question::Asker;
use super::trends::TrendsAnswer;
use crate::error::ApiError;

/// How long an answer is cached. A longer time saves more work, but shows new events later.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// Maximum size in bytes of the cached answers of one question.
const MAX_BYTES: u64 = 8 << 20;
/// Minimum weight of an answer in bytes, which limits the number of small answers.
const MIN_BYTES: usize = 8 << 10;

/// An answer that knows its size in memory.
pub(super) trait Weighed: Clone + Send + Sync + 'static {
    /// The approximate size in bytes.
    fn bytes(&self) -> usize;
}

/// The caches of all questions that take long.
#[derive(Clone, Default)]
pub(crate) struct RecentAnswers {
    pub(super) funnels: Recent<FunnelAnswer>,
    pub(super) trends: Recent<TrendsAnswer>,
}

/// The cached answers to one question, by project and parameters. Clones share them.
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
    /// The answer that is cached or being computed, or else the result of `compute`.
    ///
    /// # Errors
    /// Those of the computation. All requests that waited for it get them.
    pub(super) async fn get(&self, asker: &Asker, compute: impl Future<Output = Result<A, ApiError>>) -> Result<A, ApiError> {
        let computed = async { compute.await.map(Arc::new) };
        let answer = self.answers.try_get_with((asker.project.id, asker.fingerprint), computed).await;
        answer.map(Arc::unwrap_or_clone).map_err(ApiError::of_another)
    }
}

/// The current time in whole milliseconds, for `as_of`.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}
