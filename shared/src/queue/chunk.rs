//! A chunk: the part of a batch that travels as one JetStream message.
//!
//! The payload contains one JSON event per line, compressed with zstd, so that the command line tools nats and
//! zstd can read it. On a single node every stored message costs one fsync, so a chunk should be large. But its
//! payload must fit the server's `max_payload`, and its decompressed lines the memory of a worker.
//! [`ChunkWriter`] observes these limits.

use std::io::{self, Read};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use crate::event::Event;

/// Header: the version of the line format, [`SCHEMA`].
pub const SCHEMA_HEADER: &str = "Rollcall-Schema";
/// Header: how many events the chunk holds.
pub const EVENTS_HEADER: &str = "Rollcall-Events";
/// Header: how many bytes its lines have after decompression.
pub const LINES_BYTES_HEADER: &str = "Rollcall-Lines-Bytes";
/// Header: the ids of the first 32 requests whose events it holds, separated by commas.
pub const REQUEST_HEADER: &str = "Rollcall-Request";
/// Header: the W3C trace context of the request, if it had one.
pub const TRACE_HEADER: &str = "traceparent";
/// Header: how the payload is compressed, [`ENCODING`].
pub const ENCODING_HEADER: &str = "Content-Encoding";

/// Header: the subject of an inbox to which the worker reports what became of the events. It is present if a
/// client waits for that. A report is the JSON of a [`Settled`].
pub const REPLY_HEADER: &str = "Rollcall-Reply";

/// The version of the line format that this build writes and reads.
pub const SCHEMA: &str = "1";
/// The compression of every payload.
pub const ENCODING: &str = "zstd";

/// Lines are compressed in frames of about this many bytes, and the payload is one frame after another, which every
/// decompressor reads as one stream. With whole frames, the compressor needs no copy of the lines; its tables fit into
/// the cache, and the payload is one per cent larger than as one frame.
pub const FRAME_BYTES: usize = 128 * 1024;
/// The compression level. Higher ones take longer and save little.
const LEVEL: i32 = 1;

/// A chunk is full when its frames have this many bytes. At most the lines of one push and one frame more follow, so even a
/// payload of random bytes stays below 640 KiB. The server's `max_payload` is 1 MB.
const TARGET_PAYLOAD_BYTES: usize = 192 * 1024;

/// A chunk is full when its lines have this many bytes, however well they compress. This limits the memory that a
/// worker needs for one message.
pub const MAX_LINES_BYTES: usize = 4 * 1024 * 1024;

/// A chunk is full when it holds this many events: one batch of a worker.
pub const MAX_EVENTS: u32 = 20_000;
/// No payload of a chunk is larger, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 768 * 1024;

/// A reader refuses payloads with more decompressed bytes than this. It exceeds the limit of writers, because the
/// last event of a chunk may exceed that limit.
const MAX_DECODED_BYTES: u64 = 2 * MAX_LINES_BYTES as u64;

/// What one delivery of a chunk settled. Reports of later deliveries add to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Events stored for the first time by this delivery.
    pub inserted: u64,
    /// Events that became dead letters by this delivery.
    pub dead_lettered: u64,
    /// Events that were refused and will be tried again: another report follows.
    pub pending: u64,
    /// How many deliveries of the chunk were concluded before this one. A reader adds up reports only if none is
    /// missing.
    #[serde(default)]
    pub earlier: u32,
}

/// A finished chunk, ready to be published.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The compressed lines.
    pub payload: Bytes,
    /// The number of lines.
    pub events: u32,
    /// The bytes of the lines before compression.
    pub lines_bytes: usize,
}

impl Chunk {
    /// The headers that describe the chunk, without those of the request.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SCHEMA_HEADER, SCHEMA);
        headers.insert(ENCODING_HEADER, ENCODING);
        headers.insert(EVENTS_HEADER, self.events.to_string().as_str());
        headers.insert(LINES_BYTES_HEADER, self.lines_bytes.to_string().as_str());
        headers
    }
}

/// Compresses lines into chunks, one after another.
pub struct ChunkWriter {
    compressor: Compressor<'static>,
    /// Lines that are not compressed yet.
    pending: Vec<u8>,
    frame: Vec<u8>,
    payload: Vec<u8>,
    lines_bytes: usize,
    events: u32,
}

impl ChunkWriter {
    /// An empty chunk.
    ///
    /// # Errors
    /// Only if the compressor has no memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            compressor: Compressor::new(LEVEL)?,
            pending: Vec::new(),
            frame: Vec::new(),
            payload: Vec::new(),
            lines_bytes: 0,
            events: 0,
        })
    }

    /// Adds whole lines, each ended by a line feed.
    ///
    /// # Errors
    /// Only if the compressor has no memory.
    pub fn push(&mut self, lines: &[u8], events: u32) -> io::Result<()> {
        self.lines_bytes += lines.len();
        self.events += events;
        if self.pending.is_empty() && lines.len() >= FRAME_BYTES {
            return self.compress(lines);
        }
        self.pending.extend_from_slice(lines);
        if self.pending.len() >= FRAME_BYTES { self.compress_pending() } else { Ok(()) }
    }

    /// Whether the chunk should be finished before more is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.payload.len() >= TARGET_PAYLOAD_BYTES || self.lines_bytes >= MAX_LINES_BYTES || self.events >= MAX_EVENTS
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Ends the chunk; what is pushed from now on belongs to the next one.
    ///
    /// # Errors
    /// Only if the compressor has no memory.
    pub fn finish(&mut self) -> io::Result<Chunk> {
        // A payload without a frame is no zstd.
        if !self.pending.is_empty() || self.payload.is_empty() {
            self.compress_pending()?;
        }
        let payload = Bytes::from(std::mem::take(&mut self.payload));
        let (events, lines_bytes) = (std::mem::take(&mut self.events), std::mem::take(&mut self.lines_bytes));
        Ok(Chunk { payload, events, lines_bytes })
    }

    fn compress_pending(&mut self) -> io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        self.compress(&pending)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn compress(&mut self, lines: &[u8]) -> io::Result<()> {
        self.frame.clear();
        self.frame.reserve(compress_bound(lines.len()));
        self.compressor.compress_to_buffer(lines, &mut self.frame)?;
        self.payload.extend_from_slice(&self.frame);
        Ok(())
    }
}

/// Why a payload is not a chunk. To read it again would not help.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// The schema header is missing or names a version that this build cannot read.
    #[error("schema {found:?} is not the schema {SCHEMA} that this worker reads")]
    Schema {
        /// The header's value, if any.
        found: Option<String>,
    },
    /// The payload is not zstd.
    #[error("the payload is not zstd")]
    Compression(#[source] std::io::Error),
    /// The decompressed payload is larger than a worker accepts.
    #[error("the payload decompresses to more than {MAX_DECODED_BYTES} bytes")]
    TooLarge,
    /// A line is not an event.
    #[error("line {line} is not an event")]
    Line {
        /// Counted from 0.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

/// Checks the headers and decompresses the payload into its lines.
///
/// # Errors
/// [`ChunkError::Schema`], [`ChunkError::Compression`] or [`ChunkError::TooLarge`].
pub fn decompress(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<Vec<u8>, ChunkError> {
    let found = headers.and_then(|headers| headers.get(SCHEMA_HEADER)).map(|value| value.to_string());
    if found.as_deref() != Some(SCHEMA) {
        return Err(ChunkError::Schema { found });
    }
    let decoder = zstd::stream::read::Decoder::new(payload).map_err(ChunkError::Compression)?;
    let mut lines = Vec::with_capacity(payload.len() * 6);
    decoder.take(MAX_DECODED_BYTES + 1).read_to_end(&mut lines).map_err(ChunkError::Compression)?;
    if lines.len() as u64 > MAX_DECODED_BYTES {
        return Err(ChunkError::TooLarge);
    }
    Ok(lines)
}

/// Reads the events of decompressed lines, and borrows their texts.
///
/// # Errors
/// An item is [`ChunkError::Line`] if its line is not an event.
pub fn events(lines: &[u8]) -> impl Iterator<Item = Result<Event<'_>, ChunkError>> {
    let mut rest = lines;
    let mut line = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let event = serde_json::from_slice(&rest[..end]).map_err(|source| ChunkError::Line { line, source });
        rest = rest.get(end + 1..).unwrap_or_default();
        line += 1;
        Some(event)
    })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const LINE: &str =
        r#"{"id":"e1","type":"login","user":"42","occurred_us":5,"received_us":6,"undated":true,"properties":{"a":1}}"#;

    #[test]
    fn what_was_pushed_comes_back() {
        let mut writer = ChunkWriter::new().unwrap();
        writer.push(format!("{LINE}\n{LINE}\n").as_bytes(), 2).unwrap();
        let chunk = writer.finish().unwrap();
        let lines = decompress(Some(&chunk.headers()), &chunk.payload).unwrap();
        let mut read = Vec::new();
        events(&lines).for_each(|event| event.unwrap().write_line(&mut read));
        assert_eq!(read, lines);
        assert_eq!(chunk.events, 2);
    }

    #[test]
    fn a_chunk_of_random_bytes_still_fits_a_message() {
        let mut writer = ChunkWriter::new().unwrap();
        let mut numbers = 0_u32..;
        // The largest push is one frame and the largest event.
        for digests in [1024, 4 * 1024 - 1, 6 * 1024 + 1] {
            while !writer.is_full() {
                let noise = numbers.by_ref().take(digests).flat_map(|number| Sha256::digest(number.to_be_bytes()));
                writer.push(&noise.collect::<Vec<u8>>(), 1).unwrap();
            }
            assert!(writer.finish().unwrap().payload.len() < MAX_PAYLOAD_BYTES);
        }
    }

    #[test]
    fn one_writer_makes_one_chunk_after_another_of_any_size() {
        let mut writer = ChunkWriter::new().unwrap();
        for lines in [1, 5_000, 0, 1_300, 2] {
            let pushed = LINE.to_owned() + "\n";
            for _ in 0..lines {
                writer.push(pushed.as_bytes(), 1).unwrap();
            }
            let chunk = writer.finish().unwrap();
            assert_eq!((chunk.events, chunk.lines_bytes), (lines, pushed.len() * lines as usize));
            let read = decompress(Some(&chunk.headers()), &chunk.payload).unwrap();
            assert_eq!(read, pushed.repeat(lines as usize).as_bytes());
            assert!(writer.is_empty());
        }
    }

    #[test]
    fn a_payload_that_unfolds_without_end_is_refused() {
        let bomb = zstd::encode_all(std::io::repeat(b'\n').take(64 << 20), 1).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(SCHEMA_HEADER, SCHEMA);
        assert!(matches!(decompress(Some(&headers), &bomb), Err(ChunkError::TooLarge)));
    }

    #[test]
    fn a_payload_of_another_schema_is_refused() {
        assert!(matches!(decompress(None, b""), Err(ChunkError::Schema { found: None })));
    }
}
