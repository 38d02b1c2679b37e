//! Unsent answers: how many bytes of answers may wait for their clients.
//!
//! An answer stays in memory until its client has taken it, and a client may take it as slowly as it likes. Small
//! answers are left alone, because the number of connections limits them. Large ones share a budget, of which one
//! project gets a part. An answer for which there is no room becomes a 503.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::Version;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use rollcall_shared::project::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::Ticket;
use crate::error::ApiError;
use crate::under_way::MAX_STREAMS;

/// An answer of up to this many bytes needs no room. Together, those of all connections hold about as much as
/// the budget.
const SMALL_BYTES: usize = 64 * 1024;
/// Bytes of all large answers that are being sent. With more, slow clients take more memory.
const MAX_BYTES: usize = 64 << 20;
/// The same for one project, so that its slow clients leave room for others.
const MAX_BYTES_PER_PROJECT: usize = MAX_BYTES / 2;
/// Bytes that are handed to the connection at once. It asks for more when these are sent.
const PIECE_BYTES: usize = 64 * 1024;

/// The room for large answers. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Unsent {
    all: Arc<Semaphore>,
    /// One semaphore for each project that got a large answer; all requests without a known key share one.
    by_project: Arc<Mutex<HashMap<Option<ProjectId>, Arc<Semaphore>>>>,
}

/// The room that an answer takes, until it is dropped.
#[derive(Debug)]
struct Room {
    _permits: [OwnedSemaphorePermit; 2],
}

impl Default for Unsent {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_BYTES)), by_project: Arc::default() }
    }
}

impl Unsent {
    /// Room for a large answer; `None` if others fill it.
    fn room(&self, project: Option<ProjectId>, bytes: usize) -> Option<Room> {
        // An answer that is larger than the part of a project is sent when the project has no other.
        let permits = u32::try_from(bytes.min(MAX_BYTES_PER_PROJECT)).unwrap_or(u32::MAX);
        let of_project = self.of(project).try_acquire_many_owned(permits).ok()?;
        let of_all = self.all.clone().try_acquire_many_owned(permits).ok()?;
        Some(Room { _permits: [of_project, of_all] })
    }

    fn of(&self, project: Option<ProjectId>) -> Arc<Semaphore> {
        let mut by_project = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        by_project.entry(project).or_insert_with(|| Arc::new(Semaphore::new(MAX_BYTES_PER_PROJECT))).clone()
    }
}

/// Sends an answer only if there is room for it.
pub(crate) async fn hold(State(unsent): State<Unsent>, ticket: Ticket, request: Request, next: Next) -> Response {
    // A connection of HTTP/2 can have many answers, which together should not exceed one of HTTP/1.1.
    let answers = if request.version() == Version::HTTP_2 { MAX_STREAMS as usize } else { 1 };
    let response = next.run(request).await;
    // Answers of unknown length are sent as they come.
    let bytes = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    if bytes <= SMALL_BYTES / answers {
        return response;
    }
    match unsent.room(ticket.project(), bytes) {
        Some(room) => response.map(|whole| Body::new(Held { whole, piece: Bytes::new(), _room: room })),
        None => ApiError::UnsentFull.into_response(),
    }
}

/// A body that takes room, given out in pieces.
struct Held {
    whole: Body,
    /// What was taken from the whole and is not given out yet.
    piece: Bytes,
    _room: Room,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let held = self.get_mut();
        if held.piece.is_empty() {
            match ready!(Pin::new(&mut held.whole).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => held.piece = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let length = held.piece.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(held.piece.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.whole.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let whole = self.whole.size_hint();
        let piece = self.piece.len() as u64;
        whole.exact().map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest + piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_project_leaves_room_for_others() {
        let unsent = Unsent::default();
        let [slow, other] = [1, 2].map(|project| Some(ProjectId(project)));
        let held: Vec<Room> = std::iter::from_fn(|| unsent.room(slow, MAX_BYTES_PER_PROJECT / 8)).collect();
        assert_eq!(held.len(), 8);
        // More than a project gets is sent when the project has all of its part.
        let of_other = unsent.room(other, 2 * MAX_BYTES).unwrap();
        assert!(unsent.room(None, 1).is_none());
        drop((held, of_other));
        assert!(unsent.room(slow, MAX_BYTES_PER_PROJECT).is_some());
    }

    #[tokio::test]
    async fn a_held_body_is_the_whole_one_in_pieces() {
        let whole: Bytes = (0..3 * PIECE_BYTES + 1).map(|number| number as u8).collect();
        let room = Unsent::default().room(None, whole.len()).unwrap();
        let held = Held { whole: Body::from(whole.clone()), piece: Bytes::new(), _room: room };
        let mut held = Body::new(held);
        let mut given = Vec::new();
        let mut left = whole.len() as u64;
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut held).poll_frame(context)).await {
            let data = frame.unwrap().into_data().unwrap();
            left -= data.len() as u64;
            assert!(data.len() <= PIECE_BYTES && held.size_hint().exact() == Some(left));
            given.extend(data);
        }
        assert_eq!(given, whole);
        assert!(held.is_end_stream());
    }
}
