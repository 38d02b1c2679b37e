//! Lanes: group commit for small batches.
//!
//! On one node every stored message costs one fsync, so small batches share messages. A project has
//! one lane for each kind of small request. While one message of the lane is being published, further batches
//! wait; they share the next message, and each request is answered when that message is durable. An idle lane
//! adds no delay. A message past the allowance of its project is bulk.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::allowance::{Allowances, Kind};
use crate::ingest::body::budget::Share;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};

/// Maximum number of batches in the queue of one lane. Further ones wait in the tasks of their requests, in
/// order.
const MAX_QUEUED_BATCHES: usize = 1024;

/// How long a lane waits for the next requests of clients that it has just answered. The runtime's clock counts
/// milliseconds.
const RETURN_TIME: Duration = Duration::from_millis(1);
/// Number of messages without such a wait after one that was in vain.
const MESSAGES_WITHOUT_WAIT: u32 = 64;

/// The events of a small request, to share a message with others.
pub(crate) struct SmallBatch {
    pub(crate) lines: Vec<u8>,
    pub(crate) events: u32,
    pub(crate) origin: Origin,
    /// The memory of the lines, held until they are compressed.
    pub(crate) share: Share,
}

/// A request that waits in a lane.
struct Waiter {
    batch: SmallBatch,
    reply: oneshot::Sender<Result<(), NotDurable>>,
}

/// The lanes of all projects.
pub(crate) struct Lanes {
    publisher: ChunkPublisher,
    allowances: Arc<Allowances>,
    by_project: Mutex<HashMap<(ProjectId, Kind), mpsc::Sender<Waiter>>>,
}

/// One lane.
struct Lane {
    project: ProjectId,
    kind: Kind,
    publisher: ChunkPublisher,
    allowances: Arc<Allowances>,
    waiting: mpsc::Receiver<Waiter>,
}

impl Lanes {
    pub(crate) fn new(publisher: ChunkPublisher, allowances: Arc<Allowances>) -> Self {
        Self { publisher, allowances, by_project: Mutex::default() }
    }

    /// Returns once the lines are durable.
    ///
    /// # Errors
    /// [`NotDurable`] if the message was not published, which every request in it gets, or if this
    /// request waited in the lane until the deadline.
    pub(crate) async fn send(&self, project: ProjectId, batch: SmallBatch) -> Result<(), NotDurable> {
        let (reply, replied) = oneshot::channel();
        let lane = self.lane(project, Kind::of(batch.events));
        let outcome = async {
            // If the lane has ended, so has the channel of the reply.
            let _ = lane.send(Waiter { batch, reply }).await;
            replied.await.unwrap_or(Err(NotDurable::Unconfirmed))
        };
        self.publisher.within_deadline(outcome).await
    }

    fn lane(&self, project: ProjectId, kind: Kind) -> mpsc::Sender<Waiter> {
        let mut lanes = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let (sender, waiting) = mpsc::channel(MAX_QUEUED_BATCHES);
            let (publisher, allowances) = (self.publisher.clone(), self.allowances.clone());
            tokio::spawn(Lane { project, kind, publisher, allowances, waiting }.run());
            sender
        };
        let lane = lanes.entry((project, kind)).or_insert_with(&open);
        // A lane never ends unless it panicked. The next request gets a new one.
        if lane.is_closed() {
            *lane = open();
        }
        lane.clone()
    }
}

impl Lane {
    /// Publishes the waiting batches, one message after another, and replies to their requests.
    async fn run(mut self) {
        let mut gathered = VecDeque::new();
        let mut company = Company::default();
        loop {
            if gathered.is_empty() {
                let Some(first) = self.waiting.recv().await else { return };
                gathered.push_back(first);
            }
            company.gather(&mut gathered, &mut self.waiting).await;
            let message = match fill(&mut gathered, &mut self.waiting) {
                Ok(message) => message,
                // The waiters are dropped, and their requests are answered with 503.
                Err(error) => {
                    tracing::error!(%error, "a chunk could not be compressed");
                    continue;
                }
            };
            if message.replies.is_empty() {
                continue;
            }
            let priority = self.allowances.priority_of(self.project, self.kind, message.chunk.events);
            let chunks = vec![message.chunk];
            let outcome = self.publisher.publish_all(self.project, priority, chunks, &message.origin).await;
            company.note(message.replies.len(), gathered.len() + self.waiting.len());
            for reply in message.replies {
                // The receiver is gone if the client has disconnected.
                let _ = reply.send(outcome);
            }
        }
    }
}

/// The clients of one message, who often send their next requests at once.
///
/// Without a moment's wait for them, clients that send one request after the other divide into two groups: one waits while
/// the message of the other is in flight, and each message has only half of them. Where clients do not come
/// back at once, the wait is not repeated for many messages.
#[derive(Default)]
struct Company {
    /// When the last message was answered, and how many requests wait once all of its clients are back.
    expected: Option<(Instant, usize)>,
    /// The number of further messages that do not wait.
    skip: u32,
}

impl Company {
    /// A message is about to be answered, while other requests wait.
    fn note(&mut self, answered: usize, waiting: usize) {
        self.skip = self.skip.saturating_sub(1);
        self.expected = (self.skip == 0 && answered > 1).then(|| (Instant::now() + RETURN_TIME, answered + waiting));
    }

    /// Waits for those who were answered.
    async fn gather(&mut self, gathered: &mut VecDeque<Waiter>, waiting: &mut mpsc::Receiver<Waiter>) {
        let Some((until, expected)) = self.expected.take() else { return };
        let mut come = Vec::new();
        let all = async {
            while gathered.len() + come.len() < expected && waiting.recv_many(&mut come, expected).await > 0 {}
        };
        let are_back = tokio::time::timeout_at(until, all).await.is_ok();
        gathered.extend(come);
        if !are_back && gathered.len() < expected * 3 / 4 {
            self.skip = MESSAGES_WITHOUT_WAIT;
        }
    }
}

/// The batches of several requests in one chunk.
struct Message {
    chunk: Chunk,
    origin: Origin,
    replies: Vec<oneshot::Sender<Result<(), NotDurable>>>,
}

/// Fills one message with waiting batches. Those whose requests were answered at the deadline, or whose
/// clients have disconnected, are left out: nobody was told that they are durable.
fn fill(gathered: &mut VecDeque<Waiter>, waiting: &mut mpsc::Receiver<Waiter>) -> std::io::Result<Message> {
    let mut writer = ChunkWriter::new()?;
    let mut origin = Origin::default();
    let mut replies = Vec::new();
    while let Some(Waiter { batch, reply }) = gathered.pop_front().or_else(|| waiting.try_recv().ok()) {
        if !reply.is_closed() {
            writer.push(&batch.lines, batch.events)?;
            origin.join(batch.origin);
            replies.push(reply);
        }
        // The lines are compressed now, so their memory is given back.
        drop(batch.share);
        if writer.is_full() {
            break;
        }
    }
    Ok(Message { chunk: writer.finish()?, origin, replies })
}
