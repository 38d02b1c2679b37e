//! Queries and subscriptions over a WebSocket, by the protocol `graphql-transport-ws`.
//!
//! `message` defines the messages. A connection runs a few operations at a time, each in its own task. Their
//! answers wait for the client in a short channel. While the channel is full, the operations wait, and a
//! subscription counts the events that it misses.

mod message;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::StreamExt;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::message::{ClientMessage, Closing, ServerMessage};
use super::GraphQl;
use crate::auth::{self, Access, KeyRing, Read};
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
    keys: Arc<KeyRing>,
    /// The access of the client, once its key has been checked.
    access: Option<Access<Read>>,
    is_acknowledged: bool,
    /// Completes when the key is revoked or expires.
    key_ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    operations: HashMap<String, AbortOnDropHandle<()>>,
    sender: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    last_seen: Instant,
    /// When the client last began or ended an operation.
    last_asked: Instant,
}

/// A message of an operation to its connection.
struct Answer {
    id: String,
    /// One response of the operation; `None` if it has ended.
    response: Option<Response>,
}

impl Connection {
    /// A connection whose client may have sent its key in the headers.
    pub(super) fn new(graphql: GraphQl, keys: Arc<KeyRing>, access: Option<Access<Read>>) -> Self {
        let (sender, answers) = mpsc::channel(MAX_WAITING_ANSWERS);
        let now = Instant::now();
        Self {
            graphql,
            keys,
            access,
            is_acknowledged: false,
            key_ended: Box::pin(std::future::pending()),
            operations: HashMap::new(),
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
            let sent = tokio::select! {
                () = stop.cancelled() => return Err(Closing::STOPPING),
                () = sleep_until(deadline) => return Err(self.late()),
                received = socket.recv() => {
                    let Some(Ok(message)) = received else { return Ok(()) };
                    self.last_seen = Instant::now();
                    match message {
                        Message::Text(text) => self.received(&text).await?.map(|text| Message::Text(text.into())),
                        Message::Binary(_) => return Err(Closing::INVALID),
                        Message::Close(_) => return Ok(()),
                        Message::Ping(_) | Message::Pong(_) => None,
                    }
                }
                Some(answer) = self.answers.recv() => self.answered(answer).map(|text| Message::Text(text.into())),
                _ = heartbeat.tick() => Some(Message::Ping(Vec::new().into())),
                () = &mut self.key_ended => return Err(Closing::KEY_ENDED),
            };
            let Some(message) = sent else { continue };
            if !matches!(timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(()))) {
                return Ok(());
            }
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
            self.access = Some(Access::of_key(&self.keys, key).await.map_err(|error| Closing::refused(&error))?);
        }
        let access = self.access.as_ref().ok_or_else(|| Closing::refused(&ApiError::Unauthorized))?;
        self.key_ended = Box::pin(key_ended(self.keys.clone(), access.key));
        self.is_acknowledged = true;
        self.last_asked = Instant::now();
        Ok(ServerMessage::ConnectionAck.text())
    }

    /// Starts an operation.
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
        let mut responses = self.graphql.answers(request, access);
        let (sender, name) = (self.sender.clone(), id.clone());
        let task = tokio::spawn(async move {
            while let Some(response) = responses.next().await {
                if sender.send(Answer { id: name.clone(), response: Some(response) }).await.is_err() {
                    return;
                }
            }
            // Sending fails only if the connection is gone.
            let _ = sender.send(Answer { id: name, response: None }).await;
        });
        self.operations.insert(id, AbortOnDropHandle::new(task));
        Ok(None)
    }

    /// Handles a message of an operation. Returns the message to send to the client, if any.
    fn answered(&mut self, answer: Answer) -> Option<String> {
        let Answer { id, response } = answer;
        // The client may have ended the operation meanwhile.
        if !self.operations.contains_key(&id) {
            return None;
        }
        let Some(response) = response else {
            self.operations.remove(&id);
            self.last_asked = Instant::now();
            return Some(ServerMessage::Complete { id: &id }.text());
        };
        let was_run = response.data != async_graphql::Value::Null || response.errors.iter().any(|error| !error.path.is_empty());
        if !was_run {
            self.operations.remove(&id);
            return Some(ServerMessage::Error { id: &id, payload: &response.errors }.text());
        }
        Some(ServerMessage::Next { id: &id, payload: &response }.text())
    }
}

/// The key in a payload, named as in the headers of a request.
fn key(payload: &Json) -> Option<&str> {
    let named = |name: &str| {
        let found = payload.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str())
    };
    named("x-api-key").or_else(|| named("authorization").and_then(auth::bearer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_found_under_the_names_of_the_headers() {
        for (payload, found) in [
            (json!({"X-API-Key": "k"}), Some("k")),
            (json!({"x-api-key": "k", "Authorization": "Bearer other"}), Some("k")),
            (json!({"authorization": "bearer k"}), Some("k")),
            (json!({"Authorization": "Basic k"}), None),
            (json!({"X-API-Key": 1}), None),
            (json!(null), None),
            (json!([]), None),
        ] {
            assert_eq!(key(&payload), found, "{payload}");
        }
    }
}
