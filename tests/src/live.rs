//! A client of `GET /live`.

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Response;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::{App, KEY, WAIT_TIMEOUT};

/// What a stream of live events consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveFrame {
    /// An event, and its id in the stream.
    Event(String, Value),
    /// How many events were missed.
    Missed(Value),
    /// A comment.
    Comment(String),
}

/// A client that reads the stream.
pub struct LiveReader {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    unread: Vec<u8>,
}

impl LiveFrame {
    fn of(text: &str) -> Self {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = || serde_json::from_str::<Value>(field("data").expect("data")).expect("JSON");
        match field("event") {
            Some("event") => Self::Event(field("id").expect("an id").to_owned(), data()),
            Some("missed") => Self::Missed(data()["missed"].clone()),
            Some(other) => panic!("a frame of kind {other}"),
            None => Self::Comment(text.strip_prefix(": ").expect("a comment").to_owned()),
        }
    }
}

impl LiveReader {
    /// Connects to an API, and returns once the stream has begun.
    ///
    /// # Panics
    /// If it does not.
    pub async fn connect(app: &App, url: &str, query: &str) -> Self {
        Self::of(Self::ask(app, url, query, KEY, None).await).await
    }

    /// The same for a client that comes back after it has seen an event.
    ///
    /// # Panics
    /// If the stream does not begin.
    pub async fn connect_after(app: &App, url: &str, query: &str, last_event_id: &str) -> Self {
        Self::of(Self::ask(app, url, query, KEY, Some(last_event_id)).await).await
    }

    /// The answer to a client.
    ///
    /// # Panics
    /// If there is none.
    pub async fn ask(app: &App, url: &str, query: &str, key: &str, last_event_id: Option<&str>) -> Response {
        let mut request = app.http.get(format!("{url}/live?{query}")).header("X-API-Key", key);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        request.send().await.expect("an answer")
    }

    /// Reads an answer, which must be a stream that has begun.
    ///
    /// # Panics
    /// If it is not.
    pub async fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Self { bytes: response.bytes_stream().boxed(), unread: Vec::new() };
        assert_eq!(reader.frame().await, Some(LiveFrame::Comment("live".to_owned())));
        reader
    }

    /// A client whose socket has little room, and which has read only the beginning of its stream.
    ///
    /// # Panics
    /// If the stream does not begin.
    pub async fn unread(url: &str, query: &str) -> TcpStream {
        let address = url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        let mut stream = socket.connect(address).await.expect("a connection");
        let head = format!("GET /live?{query} HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a request");
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(": live\n\n") {
            assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0, "the answer ends");
        }
        stream
    }

    /// The next frame; `None` at the end of the stream.
    ///
    /// # Panics
    /// If neither comes in time, or the connection breaks.
    pub async fn frame(&mut self) -> Option<LiveFrame> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Some(LiveFrame::of(str::from_utf8(&frame[..end]).expect("text")));
            }
            let bytes = tokio::time::timeout(WAIT_TIMEOUT, self.bytes.next()).await.expect("a frame in time")?;
            self.unread.extend_from_slice(&bytes.expect("a connection that lasts"));
        }
    }

    /// The next event, and its id in the stream.
    ///
    /// # Panics
    /// If something else than comments comes before.
    pub async fn event(&mut self) -> (String, Value) {
        loop {
            match self.frame().await.expect("the stream goes on") {
                LiveFrame::Event(id, event) => return (id, event),
                LiveFrame::Comment(_) => {}
                LiveFrame::Missed(missed) => panic!("{missed} events were missed"),
            }
        }
    }

    /// The ids that the clients gave to the next events.
    ///
    /// # Panics
    /// As [`Self::event`].
    pub async fn event_ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.event().await.1["event_id"].as_str().expect("an id").to_owned());
        }
        ids
    }
}
