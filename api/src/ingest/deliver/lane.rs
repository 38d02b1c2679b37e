//! Lanes: group commit for small requests.
//!
//! On one node every stored message costs one fsync, so requests of a few events share messages.
//! A project has one lane. While its publish is in flight, requests gather; they leave together in
//! the next message, and each is answered when that message is durable. An idle lane adds no delay.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};
use tokio::sync::{mpsc, oneshot};

use crate::ingest::body::budget::Share;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};

/// Requests that may wait in one lane; more wait in their own tasks, in order.
const CAPACITY: usize = 1024;

/// A few events of one request that are to share a message.
pub(crate) struct Luggage {
    pub(crate) lines: Vec<u8>,
    pub(crate) events: u32,
    pub(crate) origin: Origin,
    /// The memory of the lines, held until they have left.
    pub(crate) share: Share,
}

/// A request that waits in a lane.
struct Passenger {
    luggage: Luggage,
    arrived: oneshot::Sender<Result<(), NotDurable>>,
}

/// The lanes of all projects.
pub(crate) struct Lanes {
    publisher: ChunkPublisher,
    by_project: Mutex<HashMap<ProjectId, mpsc::Sender<Passenger>>>,
}

impl Lanes {
    pub(crate) fn new(publisher: ChunkPublisher) -> Self {
        Self { publisher, by_project: Mutex::default() }
    }

    /// Returns once the lines are durable.
    ///
    /// # Errors
    /// [`NotDurable`], for every request of the message alike, or for this one if it waits in the lane
    /// past the deadline.
    pub(crate) async fn send(&self, project: ProjectId, luggage: Luggage) -> Result<(), NotDurable> {
        let (arrived, arrival) = oneshot::channel();
        let lane = self.lane(project);
        let travel = async {
            // A lane ends only with its sender, which the map holds.
            let _ = lane.send(Passenger { luggage, arrived }).await;
            arrival.await.unwrap_or(Err(NotDurable::Unconfirmed))
        };
        self.publisher.within_deadline(travel).await
    }

    fn lane(&self, project: ProjectId) -> mpsc::Sender<Passenger> {
        let mut lanes = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let (sender, receiver) = mpsc::channel(CAPACITY);
            tokio::spawn(run(project, self.publisher.clone(), receiver));
            sender
        };
        lanes.entry(project).or_insert_with(open).clone()
    }
}

/// Takes whoever waits, publishes one message, answers, and starts again.
async fn run(project: ProjectId, publisher: ChunkPublisher, mut waiting: mpsc::Receiver<Passenger>) {
    while let Some(first) = waiting.recv().await {
        let message = match fill(first, &mut waiting) {
            Ok(message) => message,
            // Without memory for one message the passengers are dropped, and their requests answer 503.
            Err(error) => {
                tracing::error!(%error, "a chunk could not be compressed");
                continue;
            }
        };
        if message.aboard.is_empty() {
            continue;
        }
        let outcome = publisher.publish_all(project, vec![message.chunk], &message.origin).await;
        for arrived in message.aboard {
            // A client that went away no longer listens.
            let _ = arrived.send(outcome);
        }
    }
}

/// What leaves together.
struct Message {
    chunk: Chunk,
    origin: Origin,
    aboard: Vec<oneshot::Sender<Result<(), NotDurable>>>,
}

/// Takes on board who waits, as far as there is room. Who has been answered already, or has gone, is
/// left: their clients were told to send again.
fn fill(first: Passenger, waiting: &mut mpsc::Receiver<Passenger>) -> std::io::Result<Message> {
    let mut writer = ChunkWriter::new()?;
    let mut origin = Origin::default();
    let mut aboard = Vec::new();
    let mut next = Some(first);
    while let Some(Passenger { luggage, arrived }) = next {
        if !arrived.is_closed() {
            writer.push(&luggage.lines, luggage.events)?;
            origin.join(luggage.origin);
            aboard.push(arrived);
        }
        // What is on board is compressed, so its share is given back.
        drop(luggage.share);
        next = if writer.is_full() { None } else { waiting.try_recv().ok() };
    }
    Ok(Message { chunk: writer.finish()?, origin, aboard })
}
