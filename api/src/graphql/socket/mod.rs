//! Queries and subscriptions over a WebSocket, by the protocol `graphql-transport-ws`.
//!
//! `message` defines the messages, and `place` limits the number of connections. A connection runs a few
//! operations at a time, each in its own task. Their answers wait for the client in a short channel. While the
//! channel is full, the operations wait, and a subscription counts the events that it misses. Queries are
//! answered one after another, because each answer may be large.

mod message;
mod place;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::StreamExt;
use serde_json::Value as Json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use self::message::{ClientMessage, Closing, ServerMessage, key};
use self::place::Place;
pub(super) use self::place::Places;
use super::{GraphQl, error};
use crate::auth::{Access, Credentials, KeyCheck, Read, Ticket};
use crate::error::ApiError;
use crate::live::key_ended;

/// The protocol. Its predecessor `graphql-ws` is not offered.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// Maximum number of operations of one connection at a time.
const MAX_OPERATIONS: usize = 10;
/// Longest id of an operation in bytes. Clients use numbers or UUIDs.
const MAX_ID_BYTES: usize = 100;
/// Maximum number of answers that wait for the client.
const MAX_WAITING_ANSWERS: usize = 4;
/// A client that accepts no bytes for this long is considered gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for sending the closing message.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout for the client's `connection_init`.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between two pings, which a client answers automatically.
const HEARTBEAT: Duration = Duration::from_secs(15);
const MAX_SILENCE: Duration = Duration::from_secs(45);
/// How long a connection without operations stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// One connection.
pub(super) struct Connection {
    graphql: GraphQl,
    check: KeyCheck,
    /// The access of the client, once its key has been checked.
    access: Option<Access<Read>>,
    is_acknowledged: bool,
    place: Place,
    /// Completes when the key is revoked or expires.
    key_ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    operations: HashMap<String, Operation>,
    last_number: u64,
    /// Its only permit is the turn of a query.
    turn: Arc<Semaphore>,
    sender: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    last_seen: Instant,
    /// When the client last began or ended an operation.
    last_asked: Instant,
}

/// An operation that has not ended.
struct Operation {
    /// Distinguishes it from earlier operations with the same id.
    number: u64,
    _task: AbortOnDropHandle<()>,
}

/// A message of an operation to its connection.
struct Answer {
    id: String,
    number: u64,
    /// One response of the operation; `None` if it has ended.
    response: Option<Response>,
    /// Held until the answer is sent.
    turn: Option<OwnedSemaphorePermit>,
}

/// A message to the client, and the turn that ends once it is sent.
type Outgoing = (Message, Option<OwnedSemaphorePermit>);

impl Connection {
    /// A connection whose client may have sent its key in the headers.
    pub(super) fn new(graphql: GraphQl, check: KeyCheck, access: Option<Access<Read>>, place: Place) -> Self {
        let (sender, answers) = mpsc::channel(MAX_WAITING_ANSWERS);
        let now = Instant::now();
        Self {
            graphql,
            check,
            access,
            is_acknowledged: false,
            place,
            key_ended: Box::pin(std::future::pending()),
            operations: HashMap::new(),
            last_number: 0,
            turn: Arc::new(Semaphore::new(1)),
            sender,
            answers,
            last_seen: now,
            last_asked: now,
        }
    }

    /// Serves until the client disconnects, the key is revoked or expires, or the process stops.
    pub(super) async fn serve(mut self, mut socket: WebSocket, stop: CancellationToken) {
        let Err(closing) = self.run(&mut socket, &stop).await else { return };
        let frame = CloseFrame { code: closing.code, reason: closing.reason.as_ref().into() };
        // If the client does not accept the message, it has already gone.
        let _ = timeout(CLOSE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
    }

    /// Returns when the client has closed the connection.
    async fn run(&mut self, socket: &mut WebSocket, stop: &CancellationToken) -> Result<(), Closing> {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.deadline();
            let outgoing: Option<Outgoing> = tokio::select! {
                biased;
                closing = ended(stop, &mut self.key_ended) => return Err(closing),
                () = self.place.lost() => return Err(Closing::DISPLACED),
                received = socket.recv() => {
                    let Some(Ok(message)) = received else { return Ok(()) };
                    self.last_seen = Instant::now();
                    match message {
                        Message::Text(text) => self.received(&text).await?.map(|text| (Message::Text(text.into()), None)),
                        Message::Binary(_) => return Err(Closing::INVALID),
                        Message::Close(_) => return Ok(()),
                        Message::Ping(_) | Message::Pong(_) => None,
                    }
                }
                () = sleep_until(deadline) => return Err(self.late()),
                Some(answer) = self.answers.recv() => self.answered(answer),
                _ = heartbeat.tick() => Some((Message::Ping(Vec::new().into()), None)),
            };
            let Some((message, _turn)) = outgoing else { continue };
            if !self.is_sent(message, socket, stop).await? {
                return Ok(());
            }
        }
    }

    /// Sends a message. Returns `false` if the client does not accept it.
    async fn is_sent(&mut self, message: Message, socket: &mut WebSocket, stop: &CancellationToken) -> Result<bool, Closing> {
        tokio::select! {
            biased;
            closing = ended(stop, &mut self.key_ended) => Err(closing),
            sent = timeout(SEND_TIMEOUT, socket.send(message)) => Ok(matches!(sent, Ok(Ok(())))),
        }
    }

    /// When the connection is closed if the client sends nothing.
    fn deadline(&self) -> Instant {
        if !self.is_acknowledged {
            return self.last_asked + INIT_TIMEOUT;
        }
        let silent = self.last_seen + MAX_SILENCE;
        if self.operations.is_empty() { silent.min(self.last_asked + IDLE_TIMEOUT) } else { silent }
    }

    /// The reason for closing at the deadline.
    fn late(&self) -> Closing {
        if !self.is_acknowledged {
            Closing::NOT_INITIALISED
        } else if self.last_seen.elapsed() >= MAX_SILENCE {
            Closing::SILENT
        } else {
            Closing::IDLE
        }
    }

    /// Handles a message of the client. Returns the message to send at once, if any.
    async fn received(&mut self, text: &str) -> Result<Option<String>, Closing> {
        match serde_json::from_str(text).map_err(|_| Closing::INVALID)? {
            ClientMessage::ConnectionInit { payload } => self.initialise(&payload).await.map(Some),
            ClientMessage::Ping => Ok(Some(ServerMessage::Pong.text())),
            ClientMessage::Pong => Ok(None),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload.into()),
            ClientMessage::Complete { id } => {
                self.operations.remove(&id);
                self.last_asked = Instant::now();
                Ok(None)
            }
        }
    }

    /// Checks the key in the payload, or else in the headers.
    async fn initialise(&mut self, payload: &Json) -> Result<String, Closing> {
        if self.is_acknowledged {
            return Err(Closing::TOO_MANY_INITIALISATIONS);
        }
        if let Some(key) = key(payload) {
            let access = self.check.access(Credentials::Key(key), Ticket::default()).await;
            self.access = Some(access.map_err(|error| Closing::refused(&error))?);
        }
        let access = self.access.as_ref().ok_or_else(|| Closing::refused(&ApiError::Unauthorized))?;
        self.place.belongs_to(access.project.id).map_err(|error| Closing::refused(&error))?;
        self.key_ended = Box::pin(key_ended(self.check.keys.clone(), access.credential));
        self.is_acknowledged = true;
        self.last_asked = Instant::now();
        Ok(ServerMessage::ConnectionAck.text())
    }

    /// Starts an operation, which costs as much as a request. Returns a refusal if there are too many.
    fn subscribe(&mut self, id: String, request: Request) -> Result<Option<String>, Closing> {
        let Some(access) = self.access.as_ref().filter(|_| self.is_acknowledged) else { return Err(Closing::NOT_ACKNOWLEDGED) };
        if id.len() > MAX_ID_BYTES {
            return Err(Closing::INVALID);
        }
        if self.operations.contains_key(&id) {
            return Err(Closing::duplicate(&id));
        }
        if self.operations.len() >= MAX_OPERATIONS {
            return Err(Closing::TOO_MANY_OPERATIONS);
        }
        self.last_asked = Instant::now();
        if let Err(refused) = access.charge_request() {
            let errors = error::response(refused).errors;
            return Ok(Some(ServerMessage::Error { id: &id, payload: &errors }.text()));
        }
        self.last_number += 1;
        let (number, name, sender) = (self.last_number, id.clone(), self.sender.clone());
        let mut responses = self.graphql.answers(request, access, self.turn.clone());
        let answering = async move {
            while let Some((response, turn)) = responses.next().await {
                if sender.send(Answer { id: name.clone(), number, response: Some(response), turn }).await.is_err() {
                    return;
                }
            }
            // Sending fails only if the connection is gone.
            let _ = sender.send(Answer { id: name, number, response: None, turn: None }).await;
        };
        let task = AbortOnDropHandle::new(tokio::spawn(answering.instrument(Span::current())));
        self.operations.insert(id, Operation { number, _task: task });
        Ok(None)
    }

    /// Handles a message of an operation. Returns the message to send to the client, if any.
    fn answered(&mut self, answer: Answer) -> Option<Outgoing> {
        let Answer { id, number, response, turn } = answer;
        // The client may have ended the operation meanwhile, and started another one with the same id.
        if self.operations.get(&id).is_none_or(|operation| operation.number != number) {
            return None;
        }
        let text = match response {
            None => {
                self.operations.remove(&id);
                self.last_asked = Instant::now();
                ServerMessage::Complete { id: &id }.text()
            }
            Some(response) if was_run(&response) => ServerMessage::Next { id: &id, payload: &response }.text(),
            Some(response) => {
                self.operations.remove(&id);
                ServerMessage::Error { id: &id, payload: &response.errors }.text()
            }
        };
        Some((Message::Text(text.into()), turn))
    }
}

/// Completes when the process stops, or when the key is revoked or expires, with the reason.
async fn ended(stop: &CancellationToken, key_ended: &mut (impl Future<Output = ()> + Unpin)) -> Closing {
    tokio::select! {
        biased;
        () = stop.cancelled() => Closing::STOPPING,
        () = key_ended => Closing::KEY_ENDED,
    }
}

/// Whether the operation was run, and not refused as a whole.
fn was_run(response: &Response) -> bool {
    response.data != async_graphql::Value::Null || response.errors.iter().any(|error| !error.path.is_empty())
}
