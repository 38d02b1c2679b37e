//! The queue: messages come in and go to `settle`, in batches or alone.
//!
//! `consumer` pulls messages and gathers them into batches, for each priority on its own. `slots` decides which
//! priority may begin the next batch. `second_lane` settles messages that are delivered again.

pub(crate) mod consumer;
mod second_lane;
mod slots;

use metrics::counter;
use tokio::task::{JoinError, JoinSet};

/// Waits until the batches or messages are settled.
async fn settle_rest(mut settling: JoinSet<()>) {
    while let Some(settled) = settling.join_next().await {
        log_panic(settled);
    }
}

/// Logs a task that panicked. Its messages were not answered, so they are redelivered to the second
/// lane, where each counts as started.
fn log_panic(settled: Result<(), JoinError>) {
    if let Err(error) = settled {
        counter!("rollcall_worker_panics_total").increment(1);
        tracing::error!(%error, "a batch or message was not settled");
    }
}
