//! The body: read from the client as memory permits, decompressed, and never larger than allowed.
//!
//! `encoding` chooses the decompressor, `pace` ends bodies that arrive too slowly, and `budget` limits the
//! memory. Nothing here interprets the bytes.

pub(crate) mod budget;
pub(crate) mod encoding;
mod pace;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::BufMut;
use futures::{StreamExt, TryStreamExt};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt};
use tokio::time::Instant;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::ingest::body::budget::{Hold, SMALL_BYTES, Share};
use crate::ingest::body::encoding::Encoding;
use crate::ingest::body::pace::Pace;
use crate::ingest::prepare::arriving::{Part, Parts};

/// Bytes read at a time. After each read the limits are checked, and other tasks may run.
const READ_BYTES: usize = 64 * 1024;
/// Least number of bytes that are passed on at a time.
const PART_BYTES: usize = 2 * READ_BYTES;
/// A compressed body is treated as large if it would be large after growing by this factor.
const USUAL_RATIO: usize = 8;
/// The compressed bytes of a body may be this many times its limit of decompressed bytes. A compressor adds
/// at most a few bytes in a thousand. Without this limit a body of empty gzip members could go on for ever.
const MAX_GROWTH: u64 = 2;
/// Minimum rate of a small body in bytes per second. It is as low as that of the slowest mobile networks,
/// because a small body takes little memory.
const MIN_SMALL_BYTES_PER_SECOND: u64 = 4 * 1024;
/// How long the rest of a refused body is read and ignored before the answer.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);
/// Once the process is told to stop, bodies that are being read get this much time to arrive.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// The limits of bodies.
#[derive(Debug, Clone)]
pub(crate) struct BodyRules {
    /// Most bytes after decompression.
    pub(crate) max_bytes: usize,
    /// Minimum rate of a large body, for which others may be waiting.
    pub(crate) min_bytes_per_second: u64,
    /// Cancelled when the process is told to stop.
    pub(crate) stop: CancellationToken,
}

/// A body that was read.
pub(crate) struct Collected {
    /// All of it, unless it was passed on part by part.
    pub(crate) body: Vec<u8>,
    /// Its size after decompression.
    pub(crate) bytes: usize,
    pub(crate) share: Share,
}

/// Reads a whole body, decompressed. If it is large and `begin` returns who takes its parts, it is passed on while it
/// arrives; `begin` gets the number of bytes that it probably has, and its memory.
///
/// # Errors
/// Only if the body is too large, too slow or broken, or its encoding is not supported; if there is no room
/// for it; or if the process stops meanwhile.
pub(crate) async fn collect(
    body: Body,
    headers: &HeaderMap,
    rules: &BodyRules,
    share: Share,
    begin: impl FnMut(usize, Hold) -> Option<Parts>,
) -> Result<Collected, ApiError> {
    let encoding = Encoding::of_headers(headers)?;
    let stopping = async {
        rules.stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    let mut frames = body.into_data_stream();
    let collected = tokio::select! {
        collected = read(&mut frames, (headers, encoding), rules, share, begin) => collected,
        () = stopping => Err(ApiError::Stopping),
    };
    if matches!(collected, Err(ApiError::BodyTooLarge { .. } | ApiError::Overloaded)) {
        discard(frames).await;
    }
    collected
}

/// Refuses a request without reading its body. A client that has a limit gets the answer even if it sends everything
/// first; any other may be cut off.
pub(crate) async fn refuse(body: Body, refused: ApiError) -> ApiError {
    if refused.is_limit() {
        discard(body.into_data_stream()).await;
    }
    refused
}

/// Reads and ignores the rest of a body, because many clients read the answer only after they have sent
/// everything. Gives up after a time that suffices for most clients.
async fn discard(mut frames: BodyDataStream) {
    let rest = async { while let Ok(Some(_)) = frames.try_next().await {} };
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
}

async fn read(
    frames: &mut BodyDataStream,
    (headers, encoding): (&HeaderMap, Encoding),
    rules: &BodyRules,
    mut share: Share,
    begin: impl FnMut(usize, Hold) -> Option<Parts>,
) -> Result<Collected, ApiError> {
    let length = content_length(headers);
    let announced = announced_bytes(length, encoding, rules.max_bytes)?;
    let mut destination = Destination::new(begin, length.unwrap_or(READ_BYTES).min(READ_BYTES));
    if let Some(bytes) = announced {
        share.admit(bytes).await?;
        destination.becomes_large(&share, if encoding == Encoding::Identity { bytes } else { SMALL_BYTES });
    }
    let wire_bytes = Arc::new(AtomicU64::new(0));
    let counted = wire_bytes.clone();
    let max_wire_bytes = rules.max_bytes as u64 * MAX_GROWTH;
    let frames = frames.map(move |frame| {
        let frame = frame.map_err(io::Error::other)?;
        let before = counted.fetch_add(frame.len() as u64, Ordering::Relaxed);
        if before + frame.len() as u64 > max_wire_bytes { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(frame) }
    });
    let mut source = StreamReader::new(frames);
    let mut pace = Pace::new(rate(&share, rules));
    let mut began = Instant::now();
    let first = arrived(&pace, source.fill_buf(), rules).await?.first().copied();
    if first.is_some_and(|byte| encoding.has_huge_window(byte)) {
        return Err(ApiError::Body(format!("the {encoding} data needs a larger window than is supported")));
    }
    let mut reader: Box<dyn AsyncRead + Send + Unpin + '_> = encoding.reader(&mut source);
    let mut paid_bytes = 0;
    loop {
        let mut window = (&mut destination.collected).limit(READ_BYTES);
        let read = arrived(&pace, reader.read_buf(&mut window), rules).await?;
        let arrived_bytes = wire_bytes.load(Ordering::Relaxed);
        pace.advance(arrived_bytes - paid_bytes);
        paid_bytes = arrived_bytes;
        if read == 0 {
            break;
        }
        destination.bytes += read;
        if share.is_overdue(began) {
            return Err(ApiError::BodyTimeout);
        }
        if destination.bytes > rules.max_bytes {
            return Err(ApiError::BodyTooLarge { limit: rules.max_bytes });
        }
        if destination.bytes > SMALL_BYTES && !share.is_admitted() {
            share.admit(rules.max_bytes).await?;
            destination.becomes_large(&share, SMALL_BYTES);
            pace = Pace::new(rate(&share, rules));
            began = Instant::now();
        }
        share.grow_to(destination.bytes).await?;
        let waited = Instant::now();
        destination.pass_on().await?;
        // A few compressed bytes can decompress to very many. Reading these never waits for the client, so
        // other tasks get their turn here.
        tokio::task::coop::consume_budget().await;
        pace.exclude(waited.elapsed());
        began += waited.elapsed();
    }
    drop(reader);
    if !arrived(&pace, source.fill_buf(), rules).await?.is_empty() {
        return Err(ApiError::Body(format!("the body goes on after the end of its {encoding} data")));
    }
    destination.end().await?;
    Ok(Collected { body: destination.collected, bytes: destination.bytes, share })
}

/// Where the bytes go: into one piece of memory, or part by part to somebody else.
struct Destination<B> {
    begin: B,
    collected: Vec<u8>,
    /// All bytes so far.
    bytes: usize,
    parts: Option<Parts>,
}

impl<B: FnMut(usize, Hold) -> Option<Parts>> Destination<B> {
    fn new(begin: B, capacity: usize) -> Self {
        Self { begin, collected: Vec::with_capacity(capacity), bytes: 0, parts: None }
    }

    /// The body is one that may be passed on. It probably has as many bytes as `expected`.
    fn becomes_large(&mut self, share: &Share, expected: usize) {
        self.parts = share.hold().and_then(|hold| (self.begin)(expected, hold));
        if self.parts.is_none() {
            self.collected.reserve_exact(expected.saturating_sub(self.collected.len()));
        }
    }

    /// Passes on what was collected, if somebody takes it and it is enough.
    async fn pass_on(&mut self) -> Result<(), ApiError> {
        let Some(parts) = self.parts.as_ref().filter(|_| self.collected.len() >= PART_BYTES) else { return Ok(()) };
        let part = std::mem::replace(&mut self.collected, Vec::with_capacity(PART_BYTES + READ_BYTES));
        parts.send(Part::Bytes(part)).await.map_err(ApiError::internal)
    }

    /// There is no more.
    async fn end(&mut self) -> Result<(), ApiError> {
        let Some(parts) = &self.parts else { return Ok(()) };
        parts.send(Part::Bytes(std::mem::take(&mut self.collected))).await.map_err(ApiError::internal)?;
        parts.send(Part::End).await.map_err(ApiError::internal)
    }
}

/// Waits for more of the body for as long as its pace allows.
async fn arrived<T>(pace: &Pace, more: impl Future<Output = io::Result<T>>, rules: &BodyRules) -> Result<T, ApiError> {
    let more = tokio::time::timeout(pace.slack(), more).await.map_err(|_| ApiError::BodyTimeout)?;
    more.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => ApiError::BodyTooLarge { limit: rules.max_bytes },
        _ => ApiError::Body(format!("the body cannot be read or decompressed: {error}")),
    })
}

/// The room that a body needs if its `Content-Length` shows that it is large.
///
/// # Errors
/// [`ApiError::BodyTooLarge`] if the header shows that it is too large.
fn announced_bytes(length: Option<usize>, encoding: Encoding, max_bytes: usize) -> Result<Option<usize>, ApiError> {
    match (length, encoding) {
        (Some(bytes), Encoding::Identity) if bytes > max_bytes => Err(ApiError::BodyTooLarge { limit: max_bytes }),
        (Some(bytes), Encoding::Identity) => Ok(Some(bytes).filter(|bytes| *bytes > SMALL_BYTES)),
        (Some(bytes), _) if bytes as u64 > max_bytes as u64 * MAX_GROWTH => Err(ApiError::BodyTooLarge { limit: max_bytes }),
        (Some(bytes), _) => Ok((bytes.saturating_mul(USUAL_RATIO) > SMALL_BYTES).then_some(max_bytes)),
        (None, _) => Ok(None),
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn rate(share: &Share, rules: &BodyRules) -> u64 {
    if share.is_admitted() { rules.min_bytes_per_second } else { MIN_SMALL_BYTES_PER_SECOND.min(rules.min_bytes_per_second) }
}
