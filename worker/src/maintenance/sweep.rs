//! Sweeping: removes the counts in `troubled_messages` whose messages have left the queue.
//!
//! The worker that finishes a message removes its counts. But a slow worker may count a message that
//! another one has finished meanwhile. Moreover, a consumer that is created again reports each delivery as
//! the first, so no worker looks for counts to remove.

use std::time::Duration;

use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{self, Context};
use rollcall_shared::queue::stream::STREAM;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::every;

/// The rows are harmless, so the interval only limits how many of them accumulate.
const INTERVAL: Duration = Duration::from_secs(10);

/// Sweeps at every interval until told to stop.
pub(crate) async fn run(client: async_nats::Client, pool: &PgPool, stop: &CancellationToken) {
    let context = jetstream::new(client);
    every("sweep", INTERVAL, stop, || async {
        // Without an answer of the queue, it is not known which messages have left it.
        let Some(stream) = stop.run_until_cancelled(info(&context)).await.flatten() else { return Ok(()) };
        sweep(pool, &stream).await
    })
    .await;
}

async fn info(context: &Context) -> Option<Info> {
    Some(context.get_stream(STREAM).await.ok()?.cached_info().clone())
}

/// Removes the counts of messages older than the stream's first one: the stream drops acknowledged messages.
async fn sweep(pool: &PgPool, stream: &Info) -> Result<(), StoreError> {
    let first = stream.state.first_sequence.cast_signed();
    let created_ns = i64::try_from(stream.created.unix_timestamp_nanos()).unwrap_or(0);
    sqlx::query_file!("sql/maintenance/delete_troubled_messages.sql", first, created_ns).execute(pool).await?;
    Ok(())
}
