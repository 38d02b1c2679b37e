//! Lag: reports as metrics how many messages wait to be stored, and for how long.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, Context};
use jiff::Timestamp;
use metrics::gauge;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{STREAM, consumers};
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;

use crate::maintenance::every;

/// Frequent enough to scale workers by it, rare enough to cost nothing.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures at every interval until told to stop.
pub(crate) async fn run(client: async_nats::Client, stop: &CancellationToken) {
    let context = jetstream::new(client);
    every("lag", INTERVAL, stop, || async { measure(&context).await.map_err(anyhow::Error::from_boxed) }).await;
}

async fn measure(context: &Context) -> Result<(), async_nats::Error> {
    for priority in Priority::VARIANTS {
        measure_priority(context, *priority).await?;
    }
    let state = context.get_stream(STREAM).await?.cached_info().state.clone();
    // The stream drops a message when it is acknowledged, so its first one is the oldest unstored.
    let oldest_age_secs = match state.messages {
        0 => 0.0,
        _ => (Timestamp::now().as_second() - state.first_timestamp.unix_timestamp()).max(0) as f64,
    };
    gauge!("rollcall_oldest_unstored_age_seconds").set(oldest_age_secs);
    gauge!("rollcall_stream_bytes").set(state.bytes as f64);
    Ok(())
}

async fn measure_priority(context: &Context, priority: Priority) -> Result<(), async_nats::Error> {
    let (mut waiting, mut redelivered) = (0.0, 0.0);
    for name in consumers(priority) {
        let consumer: PullConsumer = context.get_consumer_from_stream(&name, STREAM).await?;
        let info = consumer.cached_info();
        waiting += info.num_pending as f64 + info.num_ack_pending as f64;
        redelivered += info.num_redelivered as f64;
    }
    gauge!("rollcall_consumer_lag_messages", "priority" => priority.name()).set(waiting);
    gauge!("rollcall_consumer_redelivered_messages", "priority" => priority.name()).set(redelivered);
    Ok(())
}
