//! The shared consumers, deleted under the workers' hands.

use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{CONSUMER, STREAM, consumers};

use super::check::Check;
use super::failure::{Failure, Failures};
use super::fault::Fault;
use super::fleet::Fleet;
use super::stream::patiently;

/// Deletes the consumer of events with normal priority and one of bulk, and has them made again as an operator
/// would.
pub(crate) async fn delete(fleet: &Fleet, fault: Fault, failures: &Failures) {
    patiently(async || {
        let stream = fleet.jetstream().await?.get_stream(STREAM).await.ok()?;
        stream.delete_consumer(CONSUMER).await.ok()
    })
    .await;
    patiently(async || {
        let stream = fleet.jetstream().await?.get_stream(STREAM).await.ok()?;
        // The project `default` is number 1, so its bulk is in this shard.
        stream.delete_consumer(&consumers(Priority::Bulk)[1]).await.ok()
    })
    .await;
    tokio::time::sleep(fault.lasts).await;
    if !fleet.migrate().await {
        failures.add(Failure::new(Check::Migrated, "rollcall migrate failed; see migrate.log"));
    }
}
