//! The streams and the consumers.
//!
//! Only this module creates or updates them, so that every replica agrees. The API publishes to
//! [`subject`](super::subject::subject), and workers pull from the [`consumers`] of both priorities.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};

use super::QueueError;
use super::connect::{NatsSettings, Role, connect};
use super::priority::{BULK_SHARDS, Priority};
use super::subject::{BULK_SUBJECTS, DLQ_SUBJECTS, NORMAL_SUBJECTS, subjects_of_shard};

/// The stream that holds accepted events until they are stored.
pub const STREAM: &str = "EVENTS";
/// The durable pull consumer of events with normal priority, which all workers share.
pub const CONSUMER: &str = "workers";
/// The stream that holds dead letters.
pub const DLQ_STREAM: &str = "EVENTS_DLQ";

/// JetStream's error code if a stream, or one of its subjects, has reached a limit.
pub const LIMIT_REACHED: u64 = 10_077;

/// Most unacknowledged messages of one consumer, of all workers together. It suffices for two full pulls of each of
/// a hundred workers and for delayed redeliveries.
const MAX_ACK_PENDING: i64 = 5_000;

/// The names of the durable pull consumers of a priority. All workers share them.
#[must_use]
pub fn consumers(priority: Priority) -> Vec<String> {
    match priority {
        Priority::Normal => vec![CONSUMER.to_owned()],
        Priority::Bulk => (0..BULK_SHARDS).map(bulk_consumer).collect(),
    }
}

fn bulk_consumer(shard: u32) -> String {
    format!("bulk-{shard}")
}

/// Creates the streams and the consumers, or updates them to match the settings.
///
/// # Errors
/// [`QueueError::Stream`] or [`QueueError::Consumer`].
pub async fn ensure(context: &Context, settings: &NatsSettings) -> Result<(), QueueError> {
    let normal = consumer(CONSUMER.to_owned(), NORMAL_SUBJECTS.to_owned(), settings);
    // In a stream that was made before there was bulk, this consumer takes every message. Workers of that time cannot
    // read bulk, so the consumer is updated before the stream accepts any.
    if let Ok(stream) = context.get_stream(STREAM).await
        && stream.cached_info().config.subjects == [NORMAL_SUBJECTS]
    {
        context.create_consumer_on_stream(normal.clone(), STREAM).await?;
    }
    context.create_or_update_stream(events_stream(settings)).await?;
    context.create_or_update_stream(dead_letter_stream(settings)).await?;
    context.create_consumer_on_stream(normal, STREAM).await?;
    for shard in 0..BULK_SHARDS {
        let bulk = consumer(bulk_consumer(shard), subjects_of_shard(shard), settings);
        context.create_consumer_on_stream(bulk, STREAM).await?;
    }
    Ok(())
}

fn consumer(name: String, subjects: String, settings: &NatsSettings) -> pull::Config {
    pull::Config {
        durable_name: Some(name),
        description: Some("shared by all workers".to_owned()),
        // A stream from which messages are removed when they are acknowledged has one consumer for each subject.
        filter_subject: subjects,
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.ack_wait,
        // Workers count attempts themselves. With a limit the server would stop delivering, and do nothing else.
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    }
}

fn events_stream(settings: &NatsSettings) -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec![NORMAL_SUBJECTS.to_owned(), BULK_SUBJECTS.to_owned()],
        // A message is removed when a worker acknowledges it, so the stream holds what is not stored yet.
        retention: RetentionPolicy::WorkQueue,
        // A full stream refuses new messages and never drops accepted ones.
        discard: DiscardPolicy::New,
        max_bytes: i64::try_from(settings.events_max_bytes).unwrap_or(i64::MAX),
        storage: StorageType::File,
        num_replicas: settings.stream_replicas,
        allow_direct: true,
        description: Some("events accepted by the API and not yet stored in PostgreSQL".to_owned()),
        ..Config::default()
    }
}

fn dead_letter_stream(settings: &NatsSettings) -> Config {
    Config {
        name: DLQ_STREAM.to_owned(),
        subjects: vec![DLQ_SUBJECTS.to_owned()],
        // Letters stay until somebody redrives or purges them.
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        // The subject identifies the failure. A second letter about the same failure is refused.
        max_messages_per_subject: 1,
        discard_new_per_subject: true,
        max_bytes: i64::try_from(settings.dlq_max_bytes).unwrap_or(i64::MAX),
        storage: StorageType::File,
        num_replicas: settings.stream_replicas,
        allow_direct: true,
        description: Some("what could not be stored after its retries, with the reason".to_owned()),
        ..Config::default()
    }
}

/// [`ensure`] over a separate connection, as the user who may create streams.
///
/// # Errors
/// Those of [`connect`] and [`ensure`].
pub async fn ensure_as_admin(settings: &NatsSettings) -> Result<(), QueueError> {
    let client = connect(&settings.admin_access, Role::Admin).await?;
    ensure(&jetstream::new(client), settings).await
}
