//! A channel: passes the accepted events of one project to its readers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use rollcall_shared::queue::chunk::{ChunkError, EVENTS_HEADER, decompress, events};
use rollcall_shared::queue::dead_letter::REDRIVES_HEADER;
use tokio::sync::mpsc;

use super::event::{EventId, LiveEvent};
use super::filter::Filter;
use super::history::History;
use super::mailbox::Mailbox;

/// Maximum number of accepted messages that wait to be decoded. Further messages are only counted.
const MAX_WAITING_MESSAGES: usize = 8;
/// Number of events that are handed out under one lock. In between, readers can join and leave.
const SLICE: usize = 64;

/// The readers and the history of one project.
pub(super) struct Channel {
    state: Mutex<State>,
    undecoded: mpsc::Sender<Chunk>,
}

struct State {
    readers: HashMap<u64, Listener>,
    last_reader: u64,
    /// When the last reader left, or when the channel was opened.
    empty_since: Instant,
    history: History,
    is_closed: bool,
}

/// A reader, as the channel sees it.
struct Listener {
    filter: Filter,
    mailbox: Arc<Mailbox>,
}

/// An accepted message that is not decoded yet.
pub(super) struct Chunk {
    headers: Option<HeaderMap>,
    payload: Bytes,
    sequence: u64,
    events: u32,
}

impl Channel {
    /// A channel that begins after this sequence of the stream, and its chunks, which the caller must [hand
    /// out](Self::hand_out).
    pub(super) fn open(after: u64) -> (Arc<Self>, mpsc::Receiver<Chunk>) {
        let (undecoded, chunks) = mpsc::channel(MAX_WAITING_MESSAGES);
        let history = History::begin_after(after);
        let state = State { readers: HashMap::new(), last_reader: 0, empty_since: Instant::now(), history, is_closed: false };
        (Arc::new(Self { state: Mutex::new(state), undecoded }), chunks)
    }

    /// Adds a reader that has received all events up to `seen`. Returns its number and its mailbox; `None` if
    /// the channel was closed meanwhile.
    pub(super) fn join(&self, filter: Filter, seen: Option<EventId>) -> Option<(u64, Arc<Mailbox>)> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        let mailbox = Arc::new(Mailbox::default());
        if let Some(seen) = seen {
            let since = state.history.since(seen);
            match since.missed {
                Some(0) => {}
                // It is unknown which of the missing events would have passed the filter.
                missed => mailbox.miss(missed.filter(|_| filter.is_empty())),
            }
            since.events.iter().filter(|event| filter.passes(event)).for_each(|event| mailbox.put(event));
        }
        state.last_reader += 1;
        let number = state.last_reader;
        state.readers.insert(number, Listener { filter, mailbox: mailbox.clone() });
        Some((number, mailbox))
    }

    /// Removes a reader.
    pub(super) fn leave(&self, number: u64) {
        let mut state = self.state();
        state.readers.remove(&number);
        if state.readers.is_empty() {
            state.empty_since = Instant::now();
        }
    }

    /// Closes the channel if it has had no reader for the given time.
    pub(super) fn close_if_unused_for(&self, time: Duration) -> bool {
        let mut state = self.state();
        state.is_closed = state.readers.is_empty() && state.empty_since.elapsed() >= time;
        state.is_closed
    }

    /// Adds a message of the project that was accepted.
    pub(super) fn accepted(&self, message: Message, sequence: u64) {
        let header = |name| message.headers.as_ref().and_then(|headers| headers.get(name));
        // Readers got a redriven event when the client sent it.
        if header(REDRIVES_HEADER).is_some() {
            return;
        }
        let events = header(EVENTS_HEADER).and_then(|events| events.as_str().parse().ok()).unwrap_or(0);
        let chunk = Chunk { headers: message.headers, payload: message.payload, sequence, events };
        if self.undecoded.try_send(chunk).is_err() {
            self.skip(Some(events.into()));
        }
    }

    /// Tells all readers that messages may have been lost.
    pub(super) fn break_off(&self) {
        self.skip(None);
    }

    /// Decodes a chunk and puts each event into the mailboxes of the readers whose filter it passes.
    pub(super) fn hand_out(&self, chunk: &Chunk) {
        if let Err(error) = self.try_hand_out(chunk) {
            tracing::warn!(error = &error as &dyn std::error::Error, chunk.sequence, "readers cannot be shown a message");
            self.skip(None);
        }
    }

    fn try_hand_out(&self, chunk: &Chunk) -> Result<(), ChunkError> {
        let lines = decompress(chunk.headers.as_ref(), &chunk.payload)?;
        let mut slice = Vec::with_capacity(SLICE);
        for (index, event) in (0..).zip(events(&lines)) {
            let id = EventId { sequence: chunk.sequence, index, of: chunk.events };
            slice.push(Arc::new(LiveEvent::new(id, event?)));
            if slice.len() == SLICE {
                self.hand_out_events(slice.drain(..));
            }
        }
        self.hand_out_events(slice.drain(..));
        Ok(())
    }

    fn hand_out_events(&self, events: impl Iterator<Item = Arc<LiveEvent>>) {
        let mut state = self.state();
        for event in events {
            state.readers.values().filter(|reader| reader.filter.passes(&event)).for_each(|reader| reader.mailbox.put(&event));
            state.history.add(event);
        }
    }

    /// Tells the readers that events were left out; `None` if the number is unknown.
    fn skip(&self, events: Option<u64>) {
        let mut state = self.state();
        state.history.break_off();
        for reader in state.readers.values() {
            // It is unknown which of them would have passed the filter.
            reader.mailbox.miss(events.filter(|_| reader.filter.is_empty()));
        }
    }

    /// The amount of work to hand out a chunk: the number of its events times the number of readers.
    pub(super) fn work(&self, chunk: &Chunk) -> usize {
        (chunk.events as usize).saturating_mul(self.state().readers.len()).saturating_add(chunk.payload.len() / 16)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
