//! A large body that is prepared while it arrives, so that its client's time to send it is not lost.
//!
//! A thread that may block reads the events of what has arrived. If there is anything unusual about the body, it waits for
//! the rest and then prepares the body as a whole. The outcome is the same.

use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::batch::Batch;
use super::{Preparation, Prepared, prepare_from, refusal};
use crate::error::ApiError;
use crate::ingest::body::budget::Hold;
use crate::ingest::parse::payload::{How, PayloadError, Reading};
use crate::ingest::parse::quick::QuickReader;

/// Bodies of which threads read what has arrived. Clients may take minutes to send theirs; so that they do not occupy all
/// threads, further bodies are read once they are complete.
const MAX_AT_ONCE: usize = 8;
/// Parts of a body that wait to be read.
const MAX_WAITING: usize = 16;

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    /// The body is complete. Without it, the client has gone.
    End,
}

/// Who takes the parts of a body.
pub(crate) type Parts = mpsc::Sender<Part>;

/// The places for bodies that are read while they arrive. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Semaphore>);

/// A body that is being prepared. The thread stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Arriving {
    prepared: JoinHandle<Result<Prepared, ApiError>>,
    _cancel: DropGuard,
}

/// What the thread has of the body.
#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    is_complete: bool,
    /// How many bytes were read.
    read: usize,
    /// With how many bytes to look again. If an event is not complete, this is twice as many as it has, so that a large
    /// one is not read again with each part.
    look_at: usize,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_AT_ONCE)))
    }

    /// Begins to prepare a body of about so many bytes, unless others have all places. The thread holds `hold` as long as it
    /// holds the bytes.
    pub(crate) fn start(&self, preparation: Preparation, expected_bytes: usize, hold: Hold) -> Option<(Parts, Arriving)> {
        let place = self.0.clone().try_acquire_owned().ok()?;
        let (sender, parts) = mpsc::channel(MAX_WAITING);
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let prepared = tokio::task::spawn_blocking(move || {
            let _held: (Hold, OwnedSemaphorePermit) = (hold, place);
            prepare(parts, &preparation, expected_bytes, &cancel)
        });
        Some((sender, Arriving { prepared, _cancel: guard }))
    }
}

impl Arriving {
    /// Waits until the body is prepared, all of which was sent.
    ///
    /// # Errors
    /// As [`prepare_body`](super::prepare_body).
    pub(crate) async fn prepared(self) -> Result<Prepared, ApiError> {
        self.prepared.await.map_err(ApiError::internal)?
    }
}

/// Prepares a body that arrives in these pieces.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn prepare_pieces<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    preparation: &Preparation,
    cancel: &CancellationToken,
) -> Result<Prepared, ApiError> {
    let parts: Vec<Part> = pieces.map(|piece| Part::Bytes(piece.to_vec())).chain([Part::End]).collect();
    let (sender, receiver) = mpsc::channel(parts.len());
    for part in parts {
        sender.try_send(part).map_err(ApiError::internal)?;
    }
    drop(sender);
    prepare(receiver, preparation, 0, cancel)
}

fn prepare(
    mut parts: mpsc::Receiver<Part>,
    preparation: &Preparation,
    expected_bytes: usize,
    cancel: &CancellationToken,
) -> Result<Prepared, ApiError> {
    let mut arrived = Arrived { bytes: Vec::with_capacity(expected_bytes), ..Arrived::default() };
    match read(&mut parts, &mut arrived, preparation, cancel) {
        Ok(prepared) => prepared,
        Err(PayloadError::Unusual) => {
            while arrived.wait(&mut parts)? {}
            prepare_from(How::Whole, &arrived.bytes, preparation, cancel)
        }
        Err(error) => {
            // The client reads the answer when it has sent everything.
            while arrived.wait(&mut parts)? {
                arrived.bytes.clear();
            }
            Err(refusal(error, preparation.limits))
        }
    }
}

fn read(
    parts: &mut mpsc::Receiver<Part>,
    arrived: &mut Arrived,
    preparation: &Preparation,
    cancel: &CancellationToken,
) -> Result<Result<Prepared, ApiError>, PayloadError> {
    let Preparation { format, limits, .. } = *preparation;
    let mut reader = QuickReader::new(Reading { format, max_events: limits.max_events, how: How::Quick, cancel });
    thread::scope(|scope| {
        let mut check = ();
        let mut batch = Batch::new(preparation.rules(), &mut check, scope);
        loop {
            let is_end = !arrived.wait(parts).map_err(|_| PayloadError::Cancelled)?;
            if is_end || arrived.bytes.len() >= arrived.look_at {
                let text = arrived.text(is_end).ok_or(PayloadError::Unusual)?;
                let read = reader.advance(text, is_end, &mut |event| batch.take(event))?;
                arrived.advance(read);
            }
            if is_end {
                return Ok(batch.finish());
            }
        }
    })
}

impl Arrived {
    /// Waits for the next part; false if the body is complete.
    ///
    /// # Errors
    /// [`ApiError::Stopping`] if there will be no more parts.
    fn wait(&mut self, parts: &mut mpsc::Receiver<Part>) -> Result<bool, ApiError> {
        if self.is_complete {
            return Ok(false);
        }
        match parts.blocking_recv() {
            Some(Part::Bytes(bytes)) => self.bytes.extend_from_slice(&bytes),
            Some(Part::End) => self.is_complete = true,
            None => return Err(ApiError::Stopping),
        }
        Ok(!self.is_complete)
    }

    /// What was not read yet, up to the last whole character; `None` if it is no text.
    fn text(&self, is_end: bool) -> Option<&str> {
        let rest = &self.bytes[self.read..];
        match std::str::from_utf8(rest) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() && !is_end => std::str::from_utf8(&rest[..error.valid_up_to()]).ok(),
            Err(_) => None,
        }
    }

    fn advance(&mut self, read: usize) {
        self.read += read;
        self.look_at = self.bytes.len() + (self.bytes.len() - self.read);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ingest::parse::payload::Format;
    use crate::ingest::prepare::BatchIdentity;
    use crate::settings::RequestLimits;

    fn preparation() -> Preparation {
        let limits = RequestLimits { max_body_bytes: 1_000, max_events: 10 };
        let identity = BatchIdentity::new(None, Duration::from_secs(1_795_975_200));
        Preparation { format: Format::Json, limits, identity, horizon: None, event_rules: None }
    }

    fn hold() -> Hold {
        Arc::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn places_are_limited_and_free_again_when_the_client_has_gone_or_the_body_is_prepared() {
        let places = Places::new();
        let start = || places.start(preparation(), 0, hold());
        let mut begun: Vec<_> = (0..MAX_AT_ONCE).map(|_| start().unwrap()).collect();
        assert!(start().is_none());
        let (parts, arriving) = begun.pop().unwrap();
        for part in [Part::Bytes(br#"[{"event_type":"t","us"#.to_vec()), Part::Bytes(br#"er_id":1}]"#.to_vec()), Part::End] {
            parts.send(part).await.unwrap();
        }
        let prepared = arriving.prepared().await.unwrap();
        assert_eq!((prepared.events, prepared.invalid_events), (1, 0));
        begun[0].0.send(Part::Bytes(b"[".to_vec())).await.unwrap();
        drop(begun);
        let all = places.0.acquire_many(MAX_AT_ONCE as u32);
        drop(tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap());
    }
}
