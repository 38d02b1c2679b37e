//! Lanes: group commit for small requests.
//!
//! On one node every stored message costs one fsync, so requests of a few events share messages.
//! A project has one lane. While its publish is in flight, requests gather; they leave together in
//! the next message, and each is answered when that message is durable. An idle lane adds no delay.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rollcall_shared::chunk::{Chunk, ChunkWriter};
use rollcall_shared::project::ProjectId;
use tokio::sync::{mpsc, oneshot};

use crate::publish::{ChunkPublisher, NotDurable, Origin};

/// Requests that may wait in one lane; more wait in their own tasks, in order.
const CAPACITY: usize = 1024;

/// The events of one request on their way into a shared message.
struct Passenger {
    lines: Vec<u8>,
    events: u32,
    origin: Origin,
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
    /// [`NotDurable`], for every request of the message alike.
    pub(super) async fn send(&self, project: ProjectId, lines: Vec<u8>, events: u32, origin: Origin) -> Result<(), NotDurable> {
        let (arrived, arrival) = oneshot::channel();
        let passenger = Passenger { lines, events, origin, arrived };
        // A lane ends only with its sender, which this map holds.
        let _ = self.lane(project).send(passenger).await;
        arrival.await.unwrap_or(Err(NotDurable::Unconfirmed))
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
        let (chunk, origin, aboard) = match fill(first, &mut waiting) {
            Ok(message) => message,
            // Without memory for one message the passengers are dropped, and their requests answer 503.
            Err(error) => {
                tracing::error!(%error, "a chunk could not be compressed");
                continue;
            }
        };
        let outcome = publisher.publish_all(project, vec![chunk], &origin).await;
        for arrived in aboard {
            // A client that went away no longer listens.
            let _ = arrived.send(outcome);
        }
    }
}

type Message = (Chunk, Origin, Vec<oneshot::Sender<Result<(), NotDurable>>>);

fn fill(first: Passenger, waiting: &mut mpsc::Receiver<Passenger>) -> std::io::Result<Message> {
    let mut writer = ChunkWriter::new()?;
    let mut origin = Origin::default();
    let mut aboard = Vec::new();
    let mut next = Some(first);
    while let Some(passenger) = next {
        writer.push(&passenger.lines, passenger.events)?;
        origin.join(passenger.origin);
        aboard.push(passenger.arrived);
        next = if writer.is_full() { None } else { waiting.try_recv().ok() };
    }
    Ok((writer.finish()?, origin, aboard))
}
