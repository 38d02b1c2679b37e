//! Lanes: group commit for small batches.
//!
//! On one node every stored message costs one fsync, so small batches share messages. A project has
//! one lane for each kind of small request. While one message of the lane is being published, further batches
//! wait; they share the next message, and each request is answered when that message is durable. An idle lane
//! adds no delay. A message past the allowance of its project is bulk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};
use tokio::sync::{mpsc, oneshot};

use super::allowance::{Allowances, Kind};
use crate::ingest::body::budget::Share;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};

/// Maximum number of batches in the queue of one lane. Further ones wait in the tasks of their requests, in
/// order.
const MAX_QUEUED_BATCHES: usize = 1024;

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
        while let Some(first) = self.waiting.recv().await {
            let message = match fill(first, &mut self.waiting) {
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
            for reply in message.replies {
                // The receiver is gone if the client has disconnected.
                let _ = reply.send(outcome);
            }
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
fn fill(first: Waiter, waiting: &mut mpsc::Receiver<Waiter>) -> std::io::Result<Message> {
    let mut writer = ChunkWriter::new()?;
    let mut origin = Origin::default();
    let mut replies = Vec::new();
    let mut next = Some(first);
    while let Some(Waiter { batch, reply }) = next {
        if !reply.is_closed() {
            writer.push(&batch.lines, batch.events)?;
            origin.join(batch.origin);
            replies.push(reply);
        }
        // The lines are compressed now, so their memory is given back.
        drop(batch.share);
        next = if writer.is_full() { None } else { waiting.try_recv().ok() };
    }
    Ok(Message { chunk: writer.finish()?, origin, replies })
}
