//! The link: the connection to NATS that readers share.
//!
//! It is separate from the connection that publishes events, so neither many messages for readers nor a
//! disconnect by the server affects ingestion. It exists while a project has readers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, Message, Subscriber};
use futures::StreamExt;
use futures::stream::{Select, select};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::queue::connect::{Role, connect_to_listen, inboxes_of};
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::STREAM;
use rollcall_shared::queue::subject::subject;
use tokio_util::task::AbortOnDropHandle;

use super::acceptance::{Acceptance, Accepted};
use super::channel::Channel;
use crate::error::ApiError;

/// Number of messages that one subscription buffers. The NATS client drops further messages, and readers are
/// told that they missed events. The tasks that read the subscriptions do nothing slow.
const CAPACITY: usize = 256;
/// Timeout of the request for the last sequence of the stream.
const STATE_TIMEOUT: Duration = Duration::from_secs(2);

/// Messages, each with its channel.
type Pairs = Mutex<Acceptance<Weak<Channel>>>;

/// A connection that subscribes to messages and confirmations.
pub(super) struct Link {
    client: Client,
    context: Context,
    pairs: Arc<Pairs>,
    /// The number of messages that the NATS client dropped.
    drops: Arc<AtomicU64>,
    _confirmations: AbortOnDropHandle<()>,
}

/// The messages of one project, and the last sequence of the stream before the first of them.
pub(super) struct Messages {
    pub(super) subscribers: Select<Subscriber, Subscriber>,
    pub(super) after: u64,
}

impl Link {
    /// Connects, and subscribes to the confirmations.
    ///
    /// # Errors
    /// [`ApiError::QueueUnavailable`].
    pub(super) async fn open(access: &NatsAccess) -> Result<Self, ApiError> {
        let drops = Arc::new(AtomicU64::new(0));
        let client = connect_to_listen(access, Role::Api, CAPACITY, drops.clone()).await.map_err(ApiError::internal)?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(STATE_TIMEOUT);
        let confirmations = client.subscribe(inboxes_of(Role::Api)).await.map_err(|_| ApiError::QueueUnavailable)?;
        let pairs = Arc::new(Mutex::new(Acceptance::new()));
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(confirmations, pairs.clone())));
        Ok(Self { client, context, pairs, drops, _confirmations: listening })
    }

    /// Subscribes to the messages of a project. They include every message that is published after this
    /// function has returned.
    ///
    /// # Errors
    /// [`ApiError::QueueUnavailable`].
    pub(super) async fn follow(&self, project: ProjectId) -> Result<Messages, ApiError> {
        let normal = self.subscribe(project, Priority::Normal).await?;
        let bulk = self.subscribe(project, Priority::Bulk).await?;
        // The server handles commands in order, so its answer shows that the subscriptions are active.
        let info = async { self.context.get_stream_no_info(STREAM).await.ok()?.get_info().await.ok() };
        let after = info.await.ok_or(ApiError::QueueUnavailable)?.state.last_sequence;
        Ok(Messages { subscribers: select(normal, bulk), after })
    }

    async fn subscribe(&self, project: ProjectId, priority: Priority) -> Result<Subscriber, ApiError> {
        self.client.subscribe(subject(project, priority)).await.map_err(|_| ApiError::QueueUnavailable)
    }

    /// Adds a published message of the channel's project.
    pub(super) fn published(&self, message: Message, channel: &Arc<Channel>) {
        let accepted = pairs(&self.pairs).published(message, Arc::downgrade(channel));
        hand_over(accepted);
        self.expire();
    }

    /// Drops messages that were not confirmed.
    pub(super) fn expire(&self) {
        let displaced = pairs(&self.pairs).expire();
        displaced.iter().filter_map(Weak::upgrade).for_each(|channel| channel.break_off());
    }

    /// A counter of possible losses: the NATS client dropped a message, or the connection broke. Only its
    /// changes matter.
    pub(super) fn breaks(&self) -> u64 {
        self.drops.load(Ordering::Relaxed) + self.client.statistics().connects.load(Ordering::Relaxed)
    }
}

/// Pairs the confirmations of all projects and API processes with the messages.
async fn listen(mut confirmations: Subscriber, shared: Arc<Pairs>) {
    while let Some(reply) = confirmations.next().await {
        let accepted = pairs(&shared).replied(&reply);
        hand_over(accepted);
    }
}

fn hand_over(accepted: Option<Accepted<Weak<Channel>>>) {
    let Some(Accepted { message, sequence, with }) = accepted else { return };
    // The channel is gone if its last reader left long ago.
    if let Some(channel) = with.upgrade() {
        channel.accepted(message, sequence);
    }
}

fn pairs(pairs: &Pairs) -> MutexGuard<'_, Acceptance<Weak<Channel>>> {
    pairs.lock().unwrap_or_else(PoisonError::into_inner)
}
