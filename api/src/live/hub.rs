//! The hub: the channels of all projects that have readers on this replica.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_nats::Message;
use futures::{Stream, StreamExt};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::access::NatsAccess;
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::channel::{Channel, Chunk};
use super::event::EventId;
use super::filter::Filter;
use super::link::Link;
use super::mailbox::Mailbox;
use super::places::{Most, Place, Places};
use crate::auth::KeyHash;
use crate::error::ApiError;
use crate::settings::LiveSettings;

/// Timeout for opening a channel. It takes longer only without a connection to NATS.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a channel stays open without readers. A reader that reconnects within this time misses nothing.
const LINGER: Duration = Duration::from_secs(30);
/// Interval at which a channel checks for lost messages, and whether it still has readers.
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of chunks that are decoded at the same time on threads that may block.
const MAX_DECODERS: usize = 2;
/// Maximum work, as [`Channel::work`] counts it, that is done without a separate thread: about a tenth of a
/// millisecond.
const MAX_WORK_AT_ONCE: usize = 256;

/// The resources of all readers. Clones share them.
#[derive(Clone)]
pub(crate) struct Live(Arc<Hub>);

struct Hub {
    nats: NatsAccess,
    places: Arc<Places>,
    heartbeat: Duration,
    /// The link, as long as a channel holds it.
    link: tokio::sync::Mutex<Weak<Link>>,
    channels: Mutex<HashMap<ProjectId, Arc<Cell>>>,
    decoders: Semaphore,
}

/// A channel that may still be opening.
type Cell = OnceCell<Arc<Channel>>;

/// The membership of one reader in a channel. Dropping it leaves the channel.
pub(super) struct Membership {
    pub(super) mailbox: Arc<Mailbox>,
    channel: Arc<Channel>,
    number: u64,
    _place: Place,
}

impl Live {
    /// A hub. Readers may use half of the `max_connections` of the process.
    pub(crate) fn new(settings: &LiveSettings, nats: NatsAccess, max_connections: usize) -> Self {
        // Each reader occupies a connection, and other requests must be served too.
        let most = Most {
            in_all: settings.max_readers.min(max_connections / 2).max(1),
            of_project: settings.max_readers_per_project,
            of_key: settings.max_readers_per_key,
        };
        Self(Arc::new(Hub {
            nats,
            places: Arc::new(Places::new(most)),
            heartbeat: settings.heartbeat,
            link: tokio::sync::Mutex::default(),
            channels: Mutex::default(),
            decoders: Semaphore::new(MAX_DECODERS),
        }))
    }

    /// The interval between two comments.
    pub(super) fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    /// A permit for a reader of this project with this key.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`] or [`ApiError::LiveFull`].
    pub(super) fn place(&self, project: ProjectId, key: KeyHash) -> Result<Place, ApiError> {
        self.0.places.take(project, key)
    }

    /// Adds a reader. It gets every event that is accepted after this function has returned, and the known
    /// events since `seen`.
    ///
    /// # Errors
    /// [`ApiError::QueueUnavailable`].
    pub(super) async fn join(
        &self,
        place: Place,
        project: ProjectId,
        filter: &Filter,
        seen: Option<EventId>,
    ) -> Result<Membership, ApiError> {
        let joined = tokio::time::timeout(OPEN_TIMEOUT, self.join_channel(project, filter, seen)).await;
        let (channel, number, mailbox) = joined.map_err(|_| ApiError::QueueUnavailable)??;
        Ok(Membership { mailbox, channel, number, _place: place })
    }

    async fn join_channel(
        &self,
        project: ProjectId,
        filter: &Filter,
        seen: Option<EventId>,
    ) -> Result<(Arc<Channel>, u64, Arc<Mailbox>), ApiError> {
        loop {
            let channel = self.channel(project).await?;
            // If the channel was closed meanwhile, it is no longer in the map, and the loop opens a new one.
            if let Some((number, mailbox)) = channel.join(filter.clone(), seen) {
                return Ok((channel, number, mailbox));
            }
        }
    }

    async fn channel(&self, project: ProjectId) -> Result<Arc<Channel>, ApiError> {
        let cell = self.0.channels().entry(project).or_default().clone();
        cell.get_or_try_init(|| self.open(project, &cell)).await.cloned()
    }

    async fn open(&self, project: ProjectId, cell: &Arc<Cell>) -> Result<Arc<Channel>, ApiError> {
        let link = self.link().await?;
        let messages = link.follow(project).await?;
        let (channel, chunks) = Channel::open(messages.after);
        let (live, cell, following) = (self.clone(), cell.clone(), channel.clone());
        let decoding = AbortOnDropHandle::new(tokio::spawn(self.clone().decode(channel.clone(), chunks)));
        tokio::spawn(async move {
            let _decoding = decoding;
            follow(&link, messages.subscribers, &following, || live.close_if_unused(project, &cell, &following)).await;
        });
        Ok(channel)
    }

    async fn link(&self) -> Result<Arc<Link>, ApiError> {
        let mut link = self.0.link.lock().await;
        if let Some(link) = link.upgrade() {
            return Ok(link);
        }
        let opened = Arc::new(Link::open(&self.0.nats).await?);
        *link = Arc::downgrade(&opened);
        Ok(opened)
    }

    /// Closes a channel that has had no readers for a while. The lock on the channels prevents a new reader
    /// from joining at the same time.
    fn close_if_unused(&self, project: ProjectId, cell: &Arc<Cell>, channel: &Channel) -> bool {
        let mut channels = self.0.channels();
        if !channel.close_if_unused_for(LINGER) {
            return false;
        }
        if channels.get(&project).is_some_and(|current| Arc::ptr_eq(current, cell)) {
            channels.remove(&project);
        }
        true
    }

    /// Hands out the chunks of a channel, one after another.
    async fn decode(self, channel: Arc<Channel>, mut chunks: mpsc::Receiver<Chunk>) {
        while let Some(chunk) = chunks.recv().await {
            if channel.work(&chunk) <= MAX_WORK_AT_ONCE {
                channel.hand_out(&chunk);
                continue;
            }
            // The semaphore is never closed, so this waits and cannot fail.
            let _permit = self.0.decoders.acquire().await;
            let handing = channel.clone();
            // This fails only after a panic, which the panic handler logs.
            let _ = tokio::task::spawn_blocking(move || handing.hand_out(&chunk)).await;
        }
    }
}

/// Passes the messages of a project to its channel until the channel is closed.
async fn follow(
    link: &Link,
    mut messages: impl Stream<Item = Message> + Unpin,
    channel: &Arc<Channel>,
    close_if_unused: impl Fn() -> bool,
) {
    let mut breaks = link.breaks();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            _ = tick.tick() => None,
        };
        let seen = std::mem::replace(&mut breaks, link.breaks());
        if seen != breaks {
            channel.break_off();
        }
        match message {
            Some(message) => link.published(message, channel),
            None => {
                link.expire();
                if close_if_unused() {
                    return;
                }
            }
        }
    }
}

impl Hub {
    fn channels(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<Cell>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.channel.leave(self.number);
    }
}
