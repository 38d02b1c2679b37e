//! The streams: full for a while, and empty at the end.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::stream::Info;
use futures::TryStreamExt;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{DLQ_STREAM, STREAM, consumers};
use strum::VariantArray as _;

use super::check::Check;
use super::failure::Failure;
use super::fault::Fault;
use super::fleet::Fleet;

/// How often a server that may be down is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// A queue that has not become shorter for so long is stuck: longer than any pause of a worker.
const STUCK_AFTER: Duration = Duration::from_secs(90);

/// Takes all room but `spare_bytes` from a stream, and gives it back.
pub(crate) async fn fill(fleet: &Fleet, stream: &str, spare_bytes: i64, fault: Fault) {
    let before = info(fleet, stream).await;
    let used = i64::try_from(before.state.bytes).expect("a size");
    // Zero would mean that there is no limit.
    limit_bytes(fleet, stream, (used + spare_bytes).max(1)).await;
    tokio::time::sleep(fault.lasts).await;
    limit_bytes(fleet, stream, before.config.max_bytes).await;
}

/// Waits until nothing is left to be stored.
///
/// # Errors
/// Only if the queue is stuck.
pub(crate) async fn wait_until_drained(fleet: &Fleet) -> Result<(), Failure> {
    let mut fewest = (u64::MAX, Instant::now());
    loop {
        let left = info(fleet, STREAM).await.state.messages;
        if left == 0 {
            return Ok(());
        }
        if left < fewest.0 {
            fewest = (left, Instant::now());
        }
        if fewest.1.elapsed() > STUCK_AFTER {
            return Err(Failure::new(Check::Drained, format!("{left} messages wait, and none left for {STUCK_AFTER:?}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Deliveries that are not acknowledged, over all workers.
pub(crate) async fn pending_acknowledgements(fleet: &Fleet) -> usize {
    patiently(async || {
        let context = fleet.jetstream().await?;
        let mut pending = 0;
        for name in shared_consumers() {
            let consumer: PullConsumer = context.get_consumer_from_stream(&name, STREAM).await.ok()?;
            pending += consumer.cached_info().num_ack_pending;
        }
        Some(pending)
    })
    .await
}

fn shared_consumers() -> Vec<String> {
    Priority::VARIANTS.iter().flat_map(|priority| consumers(*priority)).collect()
}

/// Consumers of either stream that are not those of the workers.
pub(crate) async fn strange_consumers(fleet: &Fleet) -> Vec<String> {
    patiently(async || {
        let context = fleet.jetstream().await?;
        let mut all = Vec::new();
        for stream in [STREAM, DLQ_STREAM] {
            let names: Vec<String> = context.get_stream(stream).await.ok()?.consumer_names().try_collect().await.ok()?;
            all.extend(names.into_iter().filter(|name| stream != STREAM || !shared_consumers().contains(name)));
        }
        Some(all)
    })
    .await
}

/// Asks until there is an answer.
pub(crate) async fn patiently<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a stream is like. Waits for a server that is down.
async fn info(fleet: &Fleet, stream: &str) -> Info {
    patiently(async || Some(fleet.jetstream().await?.get_stream(stream).await.ok()?.cached_info().clone())).await
}

async fn limit_bytes(fleet: &Fleet, stream: &str, max_bytes: i64) {
    patiently(async || {
        let context = fleet.jetstream().await?;
        let mut config = context.get_stream(stream).await.ok()?.cached_info().config.clone();
        config.max_bytes = max_bytes;
        context.update_stream(config).await.ok().map(drop)
    })
    .await;
}
