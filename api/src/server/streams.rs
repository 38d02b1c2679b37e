//! The streams of one HTTP/2 connection: whether its client still does anything.
//!
//! Over HTTP/1.1, hyper closes a connection whose client sends no request for too long, and a write that takes too long
//! closes one whose client reads nothing. A connection of HTTP/2 has many streams, and a client can keep the connection
//! readable while it takes nothing of one answer. So each answer is given out in pieces, and the client must ask for
//! the next one in time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::WRITE_TIMEOUT;
use super::waiting::InProgress;

/// Bytes of an answer that are handed to the connection at once. It keeps them until the client takes them.
pub(super) const PIECE_BYTES: usize = 16 * 1024;

/// The streams of a connection.
#[derive(Debug)]
pub(super) struct Streams(Mutex<Open>);

#[derive(Debug)]
struct Open {
    count: usize,
    last: u64,
    /// When the last of them ended; without any, when the connection began.
    idle_since: Instant,
    /// The streams with a piece that the client has not taken, and since when.
    offered: BTreeMap<u64, Instant>,
}

/// One open stream, from its request to the end of its answer.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Arc<Streams>,
    number: u64,
}

impl Default for Streams {
    fn default() -> Self {
        Self(Mutex::new(Open { count: 0, last: 0, idle_since: Instant::now(), offered: BTreeMap::new() }))
    }
}

impl Streams {
    pub(super) fn begin(self: &Arc<Self>) -> Stream {
        let mut open = self.open();
        open.count += 1;
        open.last += 1;
        Stream { streams: self.clone(), number: open.last }
    }

    /// Returns when the client has sent no request for `idle_timeout`, or has taken nothing of an answer for
    /// [`WRITE_TIMEOUT`].
    pub(super) async fn abandoned(&self, idle_timeout: Duration) {
        while let Some(deadline) = self.deadline(Instant::now(), idle_timeout) {
            tokio::time::sleep_until(deadline).await;
        }
    }

    /// When to look again; `None` if the client is gone.
    fn deadline(&self, now: Instant, idle_timeout: Duration) -> Option<Instant> {
        let open = self.open();
        let deadline = match (open.count, open.offered.values().min()) {
            (0, _) => open.idle_since + idle_timeout,
            (_, Some(oldest)) => *oldest + WRITE_TIMEOUT,
            (_, None) => now + idle_timeout.min(WRITE_TIMEOUT),
        };
        (deadline > now).then_some(deadline)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.count -= 1;
        open.offered.remove(&self.number);
        if open.count == 0 {
            open.idle_since = Instant::now();
        }
    }
}

/// The body of an answer, given out in pieces.
pub(super) struct StreamBody {
    body: Body,
    /// What was taken from the body and is not given out yet.
    rest: Bytes,
    stream: Stream,
    /// For an answer that is part of its request.
    _request: Option<InProgress>,
}

impl StreamBody {
    pub(super) fn new(body: Body, stream: Stream, request: Option<InProgress>) -> Self {
        Self { body, rest: Bytes::new(), stream, _request: request }
    }
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = axum::Error;

    /// hyper asks for a piece when it has handed on the one before, for which the client must have made room.
    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let (streams, number) = (&this.stream.streams, this.stream.number);
        streams.open().offered.remove(&number);
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        streams.open().offered.insert(number, Instant::now());
        let length = this.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let of_body = self.body.size_hint();
        let rest = self.rest.len() as u64;
        of_body.exact().map_or_else(SizeHint::new, |bytes| SizeHint::with_exact(bytes + rest))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
    const HOUR: Duration = Duration::from_secs(3600);

    /// The next frame, if there is one at once.
    fn next_frame(body: &mut Body) -> Option<Bytes> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).now_or_never()?;
        frame.map(|frame| frame.unwrap().into_data().unwrap())
    }

    fn is_abandoned_after(streams: &Streams, time: Duration) -> bool {
        streams.deadline(Instant::now() + time, IDLE_TIMEOUT).is_none()
    }

    #[test]
    fn a_connection_without_streams_is_abandoned_after_its_timeout() {
        let streams = Arc::new(Streams::default());
        assert!(!is_abandoned_after(&streams, IDLE_TIMEOUT / 2) && is_abandoned_after(&streams, IDLE_TIMEOUT));
        let stream = streams.begin();
        assert!(!is_abandoned_after(&streams, HOUR));
        drop(stream);
        assert!(!is_abandoned_after(&streams, IDLE_TIMEOUT / 2) && is_abandoned_after(&streams, IDLE_TIMEOUT));
    }

    #[test]
    fn a_client_that_takes_nothing_of_an_answer_is_gone_and_one_that_takes_slowly_is_not() {
        let streams = Arc::new(Streams::default());
        let mut body = Body::new(StreamBody::new(Body::from(vec![7; 3 * PIECE_BYTES]), streams.begin(), None));
        for _ in 0..3 {
            assert!(!is_abandoned_after(&streams, WRITE_TIMEOUT / 2));
            assert_eq!(next_frame(&mut body).unwrap().len(), PIECE_BYTES);
            assert!(!is_abandoned_after(&streams, WRITE_TIMEOUT / 2) && is_abandoned_after(&streams, WRITE_TIMEOUT));
        }
        assert!(body.is_end_stream() && next_frame(&mut body).is_none());
        assert!(!is_abandoned_after(&streams, HOUR));
        drop(body);
        assert!(is_abandoned_after(&streams, IDLE_TIMEOUT));
    }

    #[test]
    fn an_answer_that_has_nothing_to_send_yet_is_not_abandoned() {
        let streams = Arc::new(Streams::default());
        let silent = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut body = Body::new(StreamBody::new(Body::from_stream(silent), streams.begin(), None));
        assert!(next_frame(&mut body).is_none());
        assert!(!is_abandoned_after(&streams, HOUR));
    }
}
