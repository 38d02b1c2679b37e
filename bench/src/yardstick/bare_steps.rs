//! The bare steps of accepting a request: parse, compress, and publish to a server that syncs every message.
//!
//! It parses the body with serde_json, compresses prepared lines as one zstd stream for each chunk, and publishes
//! all chunks at once to a stream like the API's on the same server. It has no HTTP and no validation, and it
//! writes no lines. Its parser and compressor are not those of the API, so that it stays the same when the API becomes faster.

use std::io::Write;
use std::time::Instant;

use anyhow::ensure;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use futures::future::try_join_all;
use rollcall_shared::queue::access::NatsAccess;
use rollcall_shared::queue::chunk::{Chunk, MAX_LINES_BYTES};
use rollcall_shared::queue::connect;
use rollcall_shared::queue::connect::Role;
use rollcall_stack::{NatsServer, NatsUser};
use serde::Deserialize;
use serde_json::value::RawValue;
use zstd::Encoder;

use crate::batch::Batch;

const STREAM: &str = "BARE";
const SUBJECT: &str = "events.bare";
/// Number of lines that the compressor gets at a time. They have about as many bytes as in the API.
const LINES_PER_PUSH: usize = 200;
/// The compression level of the API.
const LEVEL: i32 = 1;
/// A chunk ends once its payload has this many bytes, as in the API.
const PAYLOAD_BYTES: usize = 192 * 1024;

/// The durations of the steps in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) all: f64,
    /// The duration of the publishes.
    pub(crate) publish: f64,
}

/// A separate stream for this yardstick.
pub(crate) struct BareSteps {
    context: Context,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    events: Vec<ParsedEvent<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is timed")]
struct ParsedEvent<'a> {
    event_id: &'a str,
    occurred_at: &'a str,
    user_id: u64,
    event_type: &'a str,
    session_id: &'a str,
    account_id: Option<&'a str>,
    #[serde(borrow)]
    properties: &'a RawValue,
}

impl BareSteps {
    /// Creates the stream. Only the user `admin` may create this stream and publish to it.
    pub(crate) async fn start(nats: &NatsServer) -> anyhow::Result<Self> {
        let client = connect::connect(&NatsAccess::of_url(nats.url(NatsUser::Admin)), Role::Admin).await?;
        let context = jetstream::new(client);
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            ..Config::default()
        };
        context.create_or_update_stream(config).await?;
        Ok(Self { context })
    }

    /// Runs the steps.
    pub(crate) async fn run(&self, batch: &Batch) -> anyhow::Result<Steps> {
        let groups: Vec<&[u8]> = batch.lines.iter().flat_map(|lines| groups(lines)).collect();
        let started = Instant::now();
        let parsed: Envelope<'_> = serde_json::from_slice(&batch.json)?;
        ensure!(parsed.events.len() as u64 == batch.events, "events were lost in parsing");
        let chunks = compress(&groups)?;
        let compressed = Instant::now();
        let publishes = chunks.into_iter().map(async |chunk| {
            let headers = chunk.headers();
            self.context.publish_with_headers(SUBJECT, headers, chunk.payload).await?.await?;
            anyhow::Ok(())
        });
        try_join_all(publishes).await?;
        let steps = Steps { all: started.elapsed().as_secs_f64(), publish: compressed.elapsed().as_secs_f64() };
        self.context.get_stream(STREAM).await?.purge().await?;
        Ok(steps)
    }
}

fn compress(groups: &[&[u8]]) -> anyhow::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let mut groups = groups.iter().peekable();
    while groups.peek().is_some() {
        let mut encoder = Encoder::new(Vec::with_capacity(2 * PAYLOAD_BYTES), LEVEL)?;
        let (mut events, mut lines_bytes) = (0, 0);
        while let Some(group) = groups.next_if(|_| encoder.get_ref().len() < PAYLOAD_BYTES && lines_bytes < MAX_LINES_BYTES) {
            encoder.write_all(group)?;
            lines_bytes += group.len();
            events += LINES_PER_PUSH as u32;
        }
        chunks.push(Chunk { payload: encoder.finish()?.into(), events, lines_bytes });
    }
    Ok(chunks)
}

/// Splits the lines into groups of [`LINES_PER_PUSH`].
fn groups(lines: &[u8]) -> Vec<&[u8]> {
    let mut groups = Vec::new();
    let mut begin = 0;
    for (number, end) in memchr::memchr_iter(b'\n', lines).enumerate() {
        if (number + 1).is_multiple_of(LINES_PER_PUSH) || end + 1 == lines.len() {
            groups.push(&lines[begin..=end]);
            begin = end + 1;
        }
    }
    groups
}
