//! Sweeping: counts in `troubled_messages` whose messages have left the queue are removed.
//!
//! The worker that finishes a message removes its counts. But a slow worker may count a message that
//! another one has finished meanwhile, and a consumer that is created again calls each delivery the
//! first, so that no worker looks for counts to remove.

use std::time::Duration;

use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{self, Context};
use rollcall_shared::queue::stream::STREAM;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::every;

/// The rows are harmless, so this only bounds how many there are.
const INTERVAL: Duration = Duration::from_secs(10);

/// Sweeps at every interval until told to stop.
pub(crate) async fn run(client: async_nats::Client, pool: &PgPool, stop: &CancellationToken) {
    let context = jetstream::new(client);
    every("sweep", INTERVAL, stop, || async {
        // Unless the queue answers, no message is known to have left it.
        let Some(stream) = stop.run_until_cancelled(info(&context)).await.flatten() else { return Ok(()) };
        sweep(pool, &stream).await
    })
    .await;
}

async fn info(context: &Context) -> Option<Info> {
    Some(context.get_stream(STREAM).await.ok()?.cached_info().clone())
}

/// A work queue drops what is acknowledged, so whatever comes before its first message has left it.
async fn sweep(pool: &PgPool, stream: &Info) -> Result<(), StoreError> {
    let first = stream.state.first_sequence.cast_signed();
    let created_ns = i64::try_from(stream.created.unix_timestamp_nanos()).unwrap_or(0);
    sqlx::query_file!("sql/maintenance/delete_troubled_messages.sql", first, created_ns).execute(pool).await?;
    Ok(())
}
