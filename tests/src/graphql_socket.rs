//! A client of GraphQL over WebSockets, which writes the protocol `graphql-transport-ws` by hand.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::{App, event};

/// How long a message may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a test waits for an event before it sends another, and how often.
const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 200;
/// The protocol as a header.
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// One connection.
pub struct GraphQlSocket(WebSocketStream<TcpStream>);

impl GraphQlSocket {
    /// Opens a connection with further headers.
    ///
    /// # Errors
    /// What the API answers instead.
    ///
    /// # Panics
    /// If there is no API at this address.
    pub async fn open_with(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Box<Error>> {
        let socket = TcpSocket::new_v4().expect("a socket");
        Self::open_on(socket, url, headers).await
    }

    async fn open_on(socket: TcpSocket, url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Box<Error>> {
        let address = url.strip_prefix("http://").expect("an address");
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        let stream = socket.connect(address.parse().expect("an address")).await.expect("a connection");
        Ok(Self(client_async(request, stream).await?.0))
    }

    /// Opens a connection, and does not say who it is.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn open(url: &str) -> Self {
        Self::open_with(url, &[PROTOCOL]).await.expect("a connection")
    }

    /// Opens a connection with a key.
    ///
    /// # Panics
    /// If the key is refused.
    pub async fn connect(url: &str, key: &str) -> Self {
        Self::open(url).await.with_key(key).await
    }

    /// A client whose socket has little room.
    ///
    /// # Panics
    /// If the key is refused.
    pub async fn connect_with_little_room(url: &str, key: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        Self::open_on(socket, url, &[PROTOCOL]).await.expect("a connection").with_key(key).await
    }

    async fn with_key(mut self, key: &str) -> Self {
        self.send(json!({"type": "connection_init", "payload": {"X-API-Key": key}})).await;
        assert_eq!(self.next().await, json!({"type": "connection_ack"}));
        self
    }

    /// Sends a message.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("an open connection");
    }

    /// Begins an operation.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The next message that is no sign of life, if it comes in time.
    async fn message_within(&mut self, time: Duration) -> Option<Message> {
        let next = async {
            loop {
                match self.0.next().await.expect("the connection is open").expect("a message") {
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => return message,
                }
            }
        };
        tokio::time::timeout(time, next).await.ok()
    }

    async fn next_within(&mut self, time: Duration) -> Option<Value> {
        let message = self.message_within(time).await?;
        Some(serde_json::from_str(message.to_text().expect("text")).unwrap_or_else(|_| panic!("{message:?}")))
    }

    /// The next message.
    ///
    /// # Panics
    /// If none comes in time.
    pub async fn next(&mut self) -> Value {
        self.next_within(DEADLINE).await.expect("a message in time")
    }

    /// The code with which the server closes.
    ///
    /// # Panics
    /// If it sends something else.
    pub async fn closed(mut self) -> u16 {
        match self.message_within(DEADLINE).await.expect("a message in time") {
            Message::Close(Some(frame)) => frame.code.into(),
            message => panic!("{message:?}"),
        }
    }

    /// Waits until a subscription has begun: each begins in a task of its own. Events of the type `begin` are
    /// sent until one of them comes.
    ///
    /// # Panics
    /// If none comes.
    pub async fn wait_until_subscribed(&mut self, app: &App, key: &str) {
        for number in 0..ATTEMPTS {
            let begin = event(&format!("begin-{key}-{number}"), "u", "begin", "2026-03-01T10:00:00Z");
            app.send_with(key, &json!([begin])).await;
            if self.next_within(PAUSE).await.is_some() {
                return;
            }
        }
        panic!("the subscription does not begin");
    }

    /// The next event that is not one of those.
    ///
    /// # Panics
    /// If none comes in time.
    pub async fn event(&mut self) -> Value {
        loop {
            let mut message = self.next().await;
            if message["payload"]["data"]["events"]["eventType"] != "begin" {
                return message["payload"]["data"]["events"].take();
            }
        }
    }
}

impl App {
    /// Sends events with a key.
    ///
    /// # Panics
    /// Unless they are accepted.
    pub async fn send_with(&self, key: &str, body: &Value) {
        let request = self.http.post(format!("{}/events", self.url)).header("X-API-Key", key).json(body);
        assert_eq!(request.send().await.expect("an answer").status(), 202);
    }
}
