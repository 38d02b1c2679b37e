//! The state of the queue: whether it accepts events, and how full it is.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::stream::Info as StreamInfo;
use async_nats::jetstream::{self, Context};
use futures::TryStreamExt;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::MAX_PAYLOAD_BYTES;
use rollcall_shared::queue::connect::is_connected;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{STREAM, consumers};
use rollcall_shared::queue::subject::subject;
use strum::VariantArray as _;

use crate::queue::confirmations::Confirmations;

/// How long JetStream may take to answer a request for its state.
const STATE_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for one chunk of the largest size. A stream with less room refuses large batches.
const LARGEST_MESSAGE_BYTES: u64 = MAX_PAYLOAD_BYTES as u64;

/// Reads the state of JetStream.
#[derive(Clone)]
pub(crate) struct Queue {
    client: async_nats::Client,
    context: Context,
    confirmations: Arc<Confirmations>,
}

/// Whether events can be accepted. Answers show the name of the state.
#[derive(Debug, Clone, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum QueueState {
    Up,
    /// No connection.
    Down,
    /// Connected, but the stream does not answer, or there is none.
    Silent,
    /// The stream answers but does not confirm what is published.
    Refusing,
    /// No room for a message of the largest size.
    Full {
        bytes: u64,
        max_bytes: u64,
    },
}

impl Queue {
    pub(crate) fn new(client: async_nats::Client, confirmations: Arc<Confirmations>) -> Self {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(STATE_TIMEOUT);
        Self { client, context, confirmations }
    }

    pub(crate) async fn state(&self) -> QueueState {
        if !is_connected(&self.client) {
            return QueueState::Down;
        }
        let Some(info) = self.stream(STREAM).await else { return QueueState::Silent };
        let (bytes, max_bytes) = (info.state.bytes, u64::try_from(info.config.max_bytes).unwrap_or(u64::MAX));
        // In a small stream, the largest message may never fit. Such a stream counts as full if less than a
        // twentieth is free.
        if max_bytes.saturating_sub(bytes) < LARGEST_MESSAGE_BYTES.min(max_bytes / 20) {
            return QueueState::Full { bytes, max_bytes };
        }
        if self.confirmations.are_missing() { QueueState::Refusing } else { QueueState::Up }
    }

    /// The state of a stream; `None` if it is not there or the server does not answer.
    pub(crate) async fn stream(&self, name: &str) -> Option<StreamInfo> {
        let info = async { self.context.get_stream_no_info(name).await.ok()?.get_info().await.ok() };
        tokio::time::timeout(STATE_TIMEOUT, info).await.ok()?
    }

    /// The state of every consumer of the stream, those with normal priority first; `None` if one is not there or the
    /// server does not answer.
    pub(crate) async fn consumers(&self) -> Option<Vec<ConsumerInfo>> {
        let infos = async {
            let stream = self.context.get_stream_no_info(STREAM).await.ok()?;
            let names = Priority::VARIANTS.iter().flat_map(|priority| consumers(*priority));
            futures::future::try_join_all(names.map(|name| stream.consumer_info(name))).await.ok()
        };
        tokio::time::timeout(STATE_TIMEOUT, infos).await.ok()?
    }

    /// The number of messages of a project that wait to be stored; `None` if the server does not answer.
    pub(crate) async fn waiting(&self, project: ProjectId) -> Option<u64> {
        let count = async {
            let stream = self.context.get_stream_no_info(STREAM).await.ok()?;
            let mut waiting = 0;
            for priority in Priority::VARIANTS {
                let mut counts = stream.info_with_subjects(subject(project, *priority)).await.ok()?;
                while let Some((_, count)) = counts.try_next().await.ok()? {
                    waiting += count as u64;
                }
            }
            Some(waiting)
        };
        tokio::time::timeout(STATE_TIMEOUT, count).await.ok()?
    }
}

impl QueueState {
    /// Why events cannot be accepted; `None` if they can.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Up => None,
            Self::Down => Some("there is no connection to nats-server".to_owned()),
            Self::Silent => Some(format!("the stream {STREAM} does not answer")),
            Self::Refusing => Some(format!("the stream {STREAM} does not confirm events; nats-server's log has the cause")),
            Self::Full { bytes, max_bytes } => {
                Some(format!("the stream {STREAM} is full: {bytes} of {max_bytes} bytes wait to be stored"))
            }
        }
    }
}
